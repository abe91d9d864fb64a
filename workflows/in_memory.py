"""The workflow for small files: the whole table of pages is loaded at once, then all of them are worked.

A file of one page is loaded by the workflow itself, one of more pages by a child: each child costs as many round trips
as all that is done with one page.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

from workflows.batch import BatchWork
from workflows.load_chunks import LoadChunksWorkflow
from workflows.state import BatchRequest, BatchResult, LoadChunksRequest


@workflow.defn
class InMemoryBatchWorkflow(BatchWork):
    """Hold all pages of a small file at once. Same activities and same output as the cursor workflow."""

    mode = "in-memory"

    @workflow.init
    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: BatchRequest) -> BatchResult:  # noqa: ARG002 - taken by __init__
        """Work the whole file and return where its manifest is."""
        return await self._whole_batch()

    async def _load_more(self) -> None:
        cursor = self._state.cursor
        if cursor is None or cursor.offset > 0:
            await super()._load_more()
            return
        if self._steps.are_local:
            loaded = await self._steps.load(cursor, max_pages=1)
            if loaded.next is None:
                self._take_in(loaded, cursor)
                return
        loaded = await workflow.execute_child_workflow(
            LoadChunksWorkflow.run,
            LoadChunksRequest(batch=self._batch, page_rows=self._request.shape.page_rows),
            id=f"{workflow.info().workflow_id}-load",
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            static_summary=f"load {self._request.source.name}",
        )
        self._take_in(loaded, cursor)
