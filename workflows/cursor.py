"""The workflow for files of any size: a byte-offset cursor moves through the file, a page at a time."""

from __future__ import annotations

from temporalio import workflow

from workflows.batch import BatchWork
from workflows.state import BatchRequest, BatchResult


@workflow.defn
class CursorBatchWorkflow(BatchWork):
    """Page through a file. The history holds references only and is renewed when the server suggests it."""

    mode = "cursor"

    @workflow.init
    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: BatchRequest) -> BatchResult:  # noqa: ARG002 - taken by __init__
        """Work the whole file and return where its manifest is."""
        return await self._whole_batch()
