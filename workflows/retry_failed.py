"""The workflow that calls the API once more for the fallback rows of a finished batch.

It needs neither the source nor the first workflow: the rows are in the chunks, and the manifest says which. What it
touches becomes the next generation; everything else stays as it is.
"""

from __future__ import annotations

from temporalio import workflow

from workflows.batch import BatchWork
from workflows.state import BatchRequest, BatchResult


@workflow.defn
class RetryFailedWorkflow(BatchWork):
    """Make generation n + 1 of the chunks with fallback rows. `request.generation` is the new one, 2 or more.

    Its workflow ID is `batch-<id>-g<generation>`.
    """

    mode = "cursor"

    @workflow.init
    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: BatchRequest) -> BatchResult:  # noqa: ARG002 - taken by __init__
        """Work every page with fallback rows and return where the new manifest is."""
        return await self._whole_batch()

    async def _load_more(self) -> None:
        cursor = self._state.cursor
        if cursor is not None:
            self._take_in(await self._steps.load_fallbacks(cursor), cursor)
