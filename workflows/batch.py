"""The work both batch workflows share, from the first page to the manifest: load, work, turn over, conclude.

A batch is a queue of pages (`workflows.pages`). Everything that must outlive this run is in `BatchState`;
continue-as-new carries it, with the pages that are still open.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from workflows.models import Control, Cursor, Page
from workflows.pages import PagesAtWork
from workflows.requests import LoadedPages
from workflows.state import BatchResult
from workflows.steps import told

KEPT_RUN_IDS = 200


class BatchWork(PagesAtWork):
    """One batch from its first page to its manifest. Subclasses say where pages come from."""

    async def _load_more(self) -> None:
        """Append the page at the cursor to the queue; the cursor becomes None when there are no more."""
        cursor = self._state.cursor
        assert cursor is not None, "nothing is loaded behind the end"  # noqa: S101 - a broken invariant, not input
        self._take_in(await self._steps.load(cursor), cursor)

    async def _whole_batch(self) -> BatchResult:
        self._begin()
        cancelled_by_temporal = False
        try:
            try:
                await self._work_through()
            except BaseException as error:
                if not is_cancelled_exception(error):
                    raise
                cancelled_by_temporal = True
                self.cancel(Control(by="temporal", reason="the workflow was cancelled in Temporal"))
                await self._work_through()
            result = await self._conclude()
        except FailureError as error:
            await self._fail(error)
            raise ApplicationError(told(error), type="BatchFailed", non_retryable=True) from error
        if cancelled_by_temporal:
            raise asyncio.CancelledError
        return result

    def _begin(self) -> None:
        run_id = workflow.info().run_id
        self._state = replace(
            self._state,
            started_at=self._state.started_at or self._now(),
            run_ids=[*self._state.run_ids, run_id][-KEPT_RUN_IDS:],
        )
        self._show()

    async def _work_through(self) -> None:
        while not self._all_done():
            if self._failure:
                await self._end_tasks()
                raise self._failure
            if self._turnover_due():
                await self._continue_as_new()
            self._start_pages()
            if self._may_load():
                await self._load_more()
            else:
                await workflow.wait_condition(self._something_to_do)

    def _all_done(self) -> bool:
        if self._state.cancel:
            return not self._tasks
        return self._nothing_left() and not self._tasks and not self._asks()

    def _something_to_do(self) -> bool:
        return (
            self._failure is not None
            or self._all_done()
            or self._may_load()
            or (bool(self._pending) and self._may_start())
            or self._ready_to_turn_over()
        )

    def _may_load(self) -> bool:
        wanted = self._state.cursor is not None and not self._pending
        return wanted and not self._holding() and not self._turnover_due()

    def _take_in(self, loaded: LoadedPages, cursor: Cursor) -> None:
        for page in loaded.pages:
            self._pending.append(page)
            self._open[page.number] = page
        self._state = replace(self._state, cursor=loaded.next)
        if loaded.next is None:
            total = cursor.row - 1 + sum(page.records for page in loaded.pages)
            self._state = replace(self._state, total_rows=total)

    def _ready_to_turn_over(self) -> bool:
        return self._turnover_due() and len(self._blocked) == len(self._tasks)

    async def _continue_as_new(self) -> None:
        await workflow.wait_condition(
            lambda: self._ready_to_turn_over() or self._failure is not None or self._state.cancel is not None
        )
        if not self._ready_to_turn_over():
            return
        await self._end_tasks()
        await workflow.wait_condition(workflow.all_handlers_finished)
        pages = [self._open[number] for number in sorted(self._open)]
        state = replace(self._state, open_pages=pages, outage_since=self._outage.since)
        workflow.continue_as_new(replace(self._request, state=state))

    async def _conclude(self) -> BatchResult:
        written = await self._steps.manifest(self._request, self._state, self.mode)
        while written.file is None:
            for page in written.damaged:
                await self._redo(page)
            written = await self._steps.manifest(self._request, self._state, self.mode)
        self._outcome = "cancelled" if written.status == "cancelled" else "completed"
        self._state = replace(self._state, counts=written.counts, total_rows=written.counts.records)
        await self._steps.file(self._outcome, self._state, manifest=written.file)
        self._show()
        return BatchResult(id=self._request.id, status=written.status, manifest=written.file, counts=written.counts)

    async def _redo(self, page: Page) -> None:
        """Work a page again whose chunk was damaged on disk after it had been saved."""
        self._tasks[page.number] = asyncio.create_task(self._page_task(page))
        await workflow.wait_condition(lambda: not self._tasks)
        if self._failure:
            raise self._failure

    async def _fail(self, error: FailureError) -> None:
        self._outcome = "failed"
        self._show()
        cause = error.cause if isinstance(error, ActivityError) and error.cause else error
        error_type = cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
        await self._steps.file("failed", self._state, reason=told(error), error_type=error_type)
