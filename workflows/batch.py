"""The work both batch workflows share: pages in flight, pauses, outages, limits, the end.

A batch is a queue of pages. Each page is enriched and saved by a task of its own; up to `pages_in_flight` of them
run at once, so the last slow row of a page never idles the API. Everything that must outlive this run is in
`BatchState`; continue-as-new carries it, with the pages that are still open.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from workflows.control import SERVICE, BatchControl
from workflows.models import BatchRef, CallLimits, Control, Counts, Cursor, Page
from workflows.requests import EnrichedPage, LoadedPages, SavedChunk
from workflows.state import BatchRequest, BatchResult
from workflows.steps import Steps, told
from workflows.sums import added_counts, added_stats

KEPT_RUN_IDS = 200


class BatchWork(BatchControl):
    """One batch from its first page to its manifest. Subclasses say where pages come from."""

    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)
        self._batch = BatchRef(
            id=request.id, source=request.source, csv=request.shape.csv, generation=request.generation
        )
        self._steps = Steps(self._batch, request.shape)
        self._pending: deque[Page] = deque(request.state.open_pages)
        self._open: dict[int, Page] = {page.number: page for page in request.state.open_pages}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._blocked: set[int] = set()
        self._failure: BaseException | None = None

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
        return self._state.cursor is None and not self._pending and not self._tasks

    def _something_to_do(self) -> bool:
        return (
            self._failure is not None
            or self._all_done()
            or self._may_load()
            or (bool(self._pending) and self._may_start())
            or self._ready_to_turn_over()
        )

    def _may_start(self) -> bool:
        return len(self._tasks) < self._pages_at_once() and not self._holding() and not self._turnover_due()

    def _pages_at_once(self) -> int:
        """Return how many pages may be worked: a worker process makes at least one call at once for each of its own."""
        most = self._request.shape.pages_in_flight
        return min(most, self._state.limits.concurrency or most)

    def _may_load(self) -> bool:
        wanted = self._state.cursor is not None and not self._pending
        return wanted and not self._holding() and not self._turnover_due()

    def _holding(self) -> bool:
        return self._stopped() or self._outage.waiting is not None or self._state.cancel is not None

    def _start_pages(self) -> None:
        while self._pending and self._may_start():
            page = self._pending.popleft()
            self._tasks[page.number] = asyncio.create_task(self._page_task(page))
            self._running_pages = len(self._tasks)

    async def _page_task(self, page: Page) -> None:
        try:
            await self._work_page(page)
            self._show()
        except Exception as error:  # noqa: BLE001 - the main line raises it, whatever it is
            self._failure = self._failure or error
        finally:
            del self._tasks[page.number]
            self._blocked.discard(page.number)
            self._running_pages = len(self._tasks)

    async def _work_page(self, page: Page) -> None:
        while await self._cleared(page):
            limits = self._state.limits
            enriched = await self._steps.enrich(
                page,
                limits=limits,
                probe=self._outage.is_prober(page.number),
                stopped=partial(self._to_be_called_off, limits),
            )
            if enriched is not None and await self._settled(page, enriched):
                return

    async def _settled(self, page: Page, enriched: EnrichedPage) -> bool:
        """Act on the outcome of one attempt; True when the page is saved or given up."""
        if enriched.outcome in {"done", "api_up"} and self._outage.ended():
            self._show()
        if enriched.outcome == "done":
            return await self._save(page, enriched)
        if enriched.outcome == "api_down":
            self._outage.began(page.number, enriched)
            self._show()
        elif enriched.outcome == "api_refused":
            self._pause(by=SERVICE, reason=enriched.detail)
        # On the way out nobody waits for the API: the page stays undone and the manifest says so.
        return self._state.cancel is not None and enriched.outcome != "api_up"

    async def _cleared(self, page: Page) -> bool:
        """Wait until this page may call the API; False when the batch is on its way out without the API."""
        self._blocked.add(page.number)
        if self._outage.is_prober(page.number):
            await self._outage.until_next_probe(lambda: self._state.cancel is not None)
        await workflow.wait_condition(lambda: self._state.cancel is not None or self._may_call(page))
        self._blocked.discard(page.number)
        return not (self._state.cancel and self._outage.waiting)

    def _to_be_called_off(self, limits: CallLimits) -> bool:
        return self._stopped() or self._state.limits != limits

    def _may_call(self, page: Page) -> bool:
        if self._stopped() or self._outage.holds(page.number):
            return False
        before = sum(number < page.number for number in self._tasks)
        # The page that asks whether the API is back is the only one to call, whatever pages are before it.
        return self._outage.is_prober(page.number) or before < self._pages_at_once()

    async def _save(self, page: Page, enriched: EnrichedPage) -> bool:
        saved = await self._steps.save(page)
        if saved.file is not None:
            self._count(page, saved, enriched)
        return saved.file is not None

    def _count(self, page: Page, saved: SavedChunk, enriched: EnrichedPage) -> None:
        counts = Counts(
            records=saved.enriched + saved.fallback + saved.rejected,
            enriched=saved.enriched,
            fallback=saved.fallback,
            rejected=saved.rejected,
            by_error=saved.by_error,
        )
        self._open.pop(page.number, None)
        self._state = replace(
            self._state,
            counts=added_counts(self._state.counts, counts),
            stats=added_stats(self._state.stats, enriched.stats),
            done_bytes=self._state.done_bytes + page.source_end - page.source_start,
            pages=max(self._state.pages, page.number),
        )
        self._ask_where_a_limit_is_past()

    def _take_in(self, loaded: LoadedPages, cursor: Cursor) -> None:
        for page in loaded.pages:
            self._pending.append(page)
            self._open[page.number] = page
        self._state = replace(self._state, cursor=loaded.next)
        if loaded.next is None:
            total = cursor.row - 1 + sum(page.records for page in loaded.pages)
            self._state = replace(self._state, total_rows=total)

    def _turnover_due(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() and not self._state.cancel

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

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
        before = self._state
        self._tasks[page.number] = asyncio.create_task(self._page_task(page))
        await workflow.wait_condition(lambda: not self._tasks)
        if self._failure:
            raise self._failure
        self._state = replace(self._state, counts=before.counts, done_bytes=before.done_bytes, pages=before.pages)

    async def _fail(self, error: FailureError) -> None:
        self._outcome = "failed"
        self._show()
        cause = error.cause if isinstance(error, ActivityError) and error.cause else error
        error_type = cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
        await self._steps.file("failed", self._state, reason=told(error), error_type=error_type)

    def _show(self) -> None:
        workflow.set_current_details(self._steps.details(self.progress()))
