"""The work both batch workflows share, from the first page to the manifest: load, work, turn over, conclude.

A batch is a queue of pages (`workflows.pages`). Everything that must outlive this run is in `BatchState`;
continue-as-new carries it, with the pages that are still open.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from workflows.errors import PERMANENT, NoValidRow
from workflows.models import Control, ControlState, Cursor, Outcome, Page
from workflows.pages import PagesAtWork
from workflows.requests import LoadedPages, WrittenManifest
from workflows.state import BatchRequest, BatchResult
from workflows.steps import error_type, told

KEPT_RUN_IDS = 200
DAMAGED_IN_THE_QUEUE = "damaged-pages-in-the-queue"
"""Since 0.2.0 damaged pages are worked several at once, and renew the history as others do."""
DAMAGED = "their files in the output folder are missing or not what was saved; the pages are worked again"
CANCELLED_IN_TEMPORAL = Control(by="temporal", reason="the workflow was cancelled in Temporal")

WORTH_WAITING_FOR = ("StorageFull", "InboxMissing")
"""Errors of the manifest step that a cancelled batch waits out: its source could not be filed either."""


class BatchWork(PagesAtWork):
    """One batch from its first page to its manifest. Subclasses say where pages come from."""

    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)
        self._work: asyncio.Task[BatchResult] | None = None
        self._cancelled_in_temporal = False
        self._loading = False
        self._load_called_off = False
        self._kept = ControlState()
        self._keeping: asyncio.Task[None] | None = None
        self._manifest_file: str | None = None

    async def _load_more(self) -> None:
        """Append the page at the cursor to the queue; the cursor becomes None when there are no more."""
        cursor = self._state.cursor
        assert cursor is not None, "nothing is loaded behind the end"  # noqa: S101 - a broken invariant, not input
        self._take_in(await self._steps.load(cursor), cursor)

    async def _whole_batch(self) -> BatchResult:
        """Work the batch to its end. A cancel in Temporal is taken as the signal is: no step is called off half-way."""
        self._work = asyncio.create_task(self._from_start_to_end())
        while not self._work.done():
            try:
                await workflow.wait([self._work])
            except asyncio.CancelledError:
                self._cancel_in_temporal()
        result = self._work.result()
        if self._cancelled_in_temporal and result.status == "cancelled":
            raise asyncio.CancelledError
        return result

    async def _from_start_to_end(self) -> BatchResult:
        self._begin()
        if self._request.generation == 1:  # a retry of fallback rows is started by hand, and never by itself again
            self._keeping = asyncio.create_task(self._keep_control_state())
        try:
            try:
                await self._work_through()
            except BaseException as error:
                if not is_cancelled_exception(error):
                    raise
                self._cancelled_in_temporal = True
                self.cancel(CANCELLED_IN_TEMPORAL)
                await self._work_through()
            return await self._conclude()
        except FailureError as error:
            await self._fail(error)
            raise ApplicationError(told(error), type="BatchFailed", non_retryable=True) from error

    def _cancel_in_temporal(self) -> None:
        if workflow.patched("cancel-in-temporal-calls-nothing-off"):
            self._cancelled_in_temporal = True
            self.cancel(CANCELLED_IN_TEMPORAL)
        elif self._work is not None:
            self._work.cancel()

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
                await self._load_unless_cancelled()
            else:
                await workflow.wait_condition(self._something_to_do)

    async def _load_unless_cancelled(self) -> None:
        """Load more pages. A load may be tried again for ever: `cancel` calls it off, however it ends then."""
        self._loading = True
        try:
            await self._load_more()
        except (FailureError, asyncio.CancelledError):
            if not self._load_called_off:
                raise
        finally:
            self._loading = False

    def _call_off_load(self) -> None:
        if self._loading and self._work is not None and workflow.patched("cancel-calls-off-a-load"):
            self._load_called_off = True
            self._work.cancel()

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
        self._enqueue(loaded.pages)
        self._state = replace(self._state, cursor=loaded.next)
        if loaded.next is None:
            total = cursor.row - 1 + sum(page.records for page in loaded.pages)
            self._state = replace(self._state, total_rows=total)

    def _ready_to_turn_over(self) -> bool:
        return self._turnover_due() and len(self._blocked) == len(self._tasks) and self._control_is_kept()

    async def _keep_control_state(self) -> None:
        """Write each change of pause, limits and cancel to disk, so that it outlives Temporal's memory of this run."""
        while True:
            await workflow.wait_condition(lambda: not self._control_is_kept())
            if not workflow.patched("control-state-on-disk"):
                return
            control = self._state.control()
            await self._steps.keep(replace(control, at=self._now()))
            self._kept = control

    def _control_is_kept(self) -> bool:
        return self._kept == self._state.control() or self._keeping is None or self._keeping.done()

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
        written = await self._manifest()
        while written.damaged:
            await self._work_again(written)
            written = await self._manifest()
        self._state = replace(self._state, counts=written.counts, total_rows=written.counts.records)
        if written.failure and workflow.patched("no-valid-row-fails-the-batch"):
            self._manifest_file = written.file
            raise ApplicationError(written.failure, type=NoValidRow.__name__, non_retryable=True)
        outcome: Outcome = "cancelled" if written.status == "cancelled" else "completed"
        if not written.filed:
            await self._steps.file(outcome, self._state, manifest=written.file)
        self._outcome = outcome  # only now: a source that cannot be filed yet is something the batch waits for
        self._show()
        return BatchResult(
            id=self._request.id, status=written.status, manifest=written.file or "", counts=written.counts
        )

    async def _manifest(self) -> WrittenManifest:
        """Ask for the manifest until it is written; of a cancelled batch only for a while: a cancel has to end it."""
        while True:
            try:
                return await self._steps.manifest(self._request, self._state, self.mode)
            except FailureError as error:
                kind = error_type(error)
                if not self._state.cancel or kind in PERMANENT:
                    raise
                if kind not in WORTH_WAITING_FOR:
                    return WrittenManifest(file=None, status="cancelled", counts=self._state.counts)

    async def _work_again(self, written: WrittenManifest) -> None:
        """Work pages again whose files were damaged on disk after they had been saved, as pages are always worked."""
        if not workflow.patched(DAMAGED_IN_THE_QUEUE):
            for page in written.damaged:
                await self._redo(page)
            return
        self._log("batch.damaged", logging.WARNING, pages=str(len(written.damaged)), why=DAMAGED)
        self._enqueue(written.damaged)
        damaged = self._state.damaged + len(written.damaged)
        self._state = replace(self._state, damaged=damaged, checked=written.checked)
        await self._work_through()

    async def _redo(self, page: Page) -> None:
        """Work one page again. Only for batches that 0.1.0 began to conclude."""
        self._tasks[page.number] = asyncio.create_task(self._page_task(page))
        await workflow.wait_condition(lambda: not self._tasks)
        if self._failure:
            raise self._failure

    async def _fail(self, error: FailureError) -> None:
        await self._steps.file(
            "failed", self._state, manifest=self._manifest_file, reason=told(error), error_type=error_type(error)
        )
        self._outcome = "failed"
        self._show()
