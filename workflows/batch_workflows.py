"""The batch workflows. They tell the same story (`workflows.batch`) and differ in where their pages come from."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

from workflows.batch import BatchWorkflow
from workflows.contract import READ_TIMEOUT, Activities, writing
from workflows.models import MAX_PAGES_AT_ONCE, Cursor
from workflows.page_pool import PageSource
from workflows.requests import LoadedPages, LoadPages
from workflows.state import BatchRequest, BatchResult, LoadChunksRequest

HEARTBEAT_TIMEOUT = timedelta(seconds=30)


class CursorPages(PageSource):
    """Pages of a file of any size: a byte-offset cursor moves through it."""

    async def pages_at(self, cursor: Cursor) -> LoadedPages:
        """Find as many pages as may be in flight."""
        return await self._steps.load(cursor)


@workflow.defn
class CursorBatchWorkflow(BatchWorkflow):
    """Page through a file of any size. The history holds references only and is renewed when the server suggests it."""

    mode = "cursor"
    page_source = CursorPages

    @workflow.init
    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: BatchRequest) -> BatchResult:  # noqa: ARG002 - taken by __init__
        """Work the whole file and return where its manifest is."""
        return await self._work_to_the_end()


class TablePages(PageSource):
    """All pages of a small file at once.

    A file of one page is loaded by the workflow itself, one of more pages by a child: each child costs as many round
    trips as all that is done with one page.
    """

    async def pages_at(self, cursor: Cursor) -> LoadedPages:
        """Find all pages from the start of the file; behind it, as a cursor does."""
        if cursor.offset > 0:
            return await self._steps.load(cursor)
        if self._steps.are_local:
            loaded = await self._steps.load(cursor, max_pages=1)
            if loaded.next is None:
                return loaded
        return await workflow.execute_child_workflow(
            LoadChunksWorkflow.run,
            LoadChunksRequest(batch=self._batch.ref, page_rows=self._batch.shape.page_rows),
            id=f"{workflow.info().workflow_id}-load",
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            static_summary=f"load {self._batch.request.source.name}",
        )


@workflow.defn
class InMemoryBatchWorkflow(BatchWorkflow):
    """Hold all pages of a small file at once. Same activities and same output as the cursor workflow."""

    mode = "in-memory"
    page_source = TablePages

    @workflow.init
    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: BatchRequest) -> BatchResult:  # noqa: ARG002 - taken by __init__
        """Work the whole file and return where its manifest is."""
        return await self._work_to_the_end()


@workflow.defn
class LoadChunksWorkflow:
    """Find all pages of a file that has few enough to be held at once. The child of the in-memory workflow."""

    @workflow.run
    async def run(self, request: LoadChunksRequest) -> LoadedPages:
        """Return every page, in order."""
        return await workflow.execute_activity_method(
            Activities.load_csv_chunks,
            LoadPages(
                batch=request.batch,
                cursor=Cursor(),
                page_rows=request.page_rows,
                max_pages=MAX_PAGES_AT_ONCE,
            ),
            **writing(READ_TIMEOUT, HEARTBEAT_TIMEOUT),
            summary=request.batch.source.name,
        )


class FallbackPages(PageSource):
    """Pages of the generation before that hold fallback rows."""

    async def pages_at(self, cursor: Cursor) -> LoadedPages:
        """Find some of them, from page `cursor.page` on."""
        return await self._steps.load_fallbacks(cursor)


@workflow.defn
class RetryFailedWorkflow(BatchWorkflow):
    """Call the API once more for the fallback rows of a finished batch: generation n + 1 of their chunks.

    It needs neither the source nor the first workflow: the rows are in the chunks, and the manifest says which. What it
    touches becomes the next generation, `request.generation`, 2 or more; everything else stays as it is. Its workflow
    ID is `batch-<id>-g<generation>`.
    """

    mode = "cursor"
    page_source = FallbackPages

    @workflow.init
    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: BatchRequest) -> BatchResult:  # noqa: ARG002 - taken by __init__
        """Work every page with fallback rows and return where the new manifest is."""
        return await self._work_to_the_end()
