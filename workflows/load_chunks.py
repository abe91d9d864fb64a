"""The child of the in-memory workflow: finds every page of a small file."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from workflows.contract import Activities
from workflows.models import Cursor
from workflows.policies import MAX_PAGES_AT_ONCE, READ_TIMEOUT, writing
from workflows.requests import LoadedPages, LoadPages
from workflows.state import LoadChunksRequest

HEARTBEAT_TIMEOUT = timedelta(seconds=30)


@workflow.defn
class LoadChunksWorkflow:
    """Find all pages of a file that has few enough to be held at once."""

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
