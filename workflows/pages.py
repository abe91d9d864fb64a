"""The pages of a batch that are being worked, each by a task of its own.

A page is enriched and saved; where a pause, an outage or a changed limit stands in its way it waits and goes on by
itself. Up to `pages_in_flight` of them run at once, so the last slow row of a page never idles the API.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from functools import partial

from temporalio import workflow

from workflows.control import SERVICE, BatchControl
from workflows.models import CallLimits, Counts, Page
from workflows.requests import EnrichedPage, SavedChunk
from workflows.state import BatchRequest
from workflows.steps import Steps
from workflows.sums import added_counts, added_stats


class PagesAtWork(BatchControl):
    """The queue of pages, those in flight, and what becomes of each."""

    def __init__(self, request: BatchRequest) -> None:
        super().__init__(request)
        self._steps = Steps(self._batch, request.shape, local=request.local_steps, together=request.steps_together)
        self._pending: deque[Page] = deque(request.state.open_pages)
        self._open: dict[int, Page] = {page.number: page for page in request.state.open_pages}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._blocked: set[int] = set()
        self._failure: BaseException | None = None

    def _enqueue(self, pages: list[Page]) -> None:
        for page in pages:
            self._pending.append(page)
            self._open[page.number] = page

    def _start_pages(self) -> None:
        while self._pending and self._may_start():
            page = self._pending.popleft()
            self._tasks[page.number] = asyncio.create_task(self._page_task(page))
            self._running_pages = len(self._tasks)

    def _may_start(self) -> bool:
        return len(self._tasks) < self._pages_at_once() and not self._holding() and not self._turnover_due()

    def _pages_at_once(self) -> int:
        """Return how many pages may be worked: a worker process makes at least one call at once for each of its own."""
        most = self._request.shape.pages_in_flight
        return min(most, self._state.limits.concurrency or most)

    def _is_small(self) -> bool:
        """Tell whether the whole file is at most as many rows as a large one has in flight."""
        shape, rows = self._request.shape, self._state.total_rows
        return rows is not None and rows <= shape.page_rows * shape.pages_in_flight

    def _holding(self) -> bool:
        return self._stopped() or self._outage.waiting is not None or self._state.cancel is not None

    def _turnover_due(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() and not self._state.cancel

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
                small=self._is_small(),
                stopped=partial(self._to_be_called_off, limits),
            )
            if enriched is not None and await self._settled(page, enriched):
                return

    async def _settled(self, page: Page, enriched: EnrichedPage) -> bool:
        """Act on the outcome of one attempt; True when the page is saved or given up."""
        if enriched.outcome in {"done", "api_up"}:
            self._note_api_up()
        if enriched.outcome == "done":
            return await self._save(page, enriched)
        if enriched.outcome == "api_down":
            self._note_api_down(page, enriched)
        elif enriched.outcome == "api_refused":
            self._pause(by=SERVICE, reason=enriched.detail)
        # On the way out nobody waits for the API: the page stays undone and the manifest says so.
        return self._state.cancel is not None and enriched.outcome != "api_up"

    def _note_api_down(self, page: Page, enriched: EnrichedPage) -> None:
        if not self._outage.since:  # else it lasts, since before this run of the workflow maybe
            self._log("batch.waiting", logging.WARNING, on="api", why=enriched.detail)
        self._outage.began(page.number, enriched)
        self._show()

    def _note_api_up(self) -> None:
        if self._outage.since:
            self._log("batch.running")
        if self._outage.ended():
            self._show()

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
        saved = enriched.saved or await self._steps.save(page)
        if saved.file is not None:
            self._count(page, saved, enriched)
        return saved.file is not None

    def _count(self, page: Page, saved: SavedChunk, enriched: EnrichedPage) -> None:
        self._state = replace(self._state, stats=added_stats(self._state.stats, enriched.stats))
        if self._open.pop(page.number, None) is None or self._state.damaged:
            return  # worked again because its chunk was damaged: it was counted before
        counts = Counts(
            records=saved.enriched + saved.fallback + saved.rejected,
            enriched=saved.enriched,
            fallback=saved.fallback,
            rejected=saved.rejected,
            by_error=saved.by_error,
        )
        self._state = replace(
            self._state,
            counts=added_counts(self._state.counts, counts),
            done_bytes=self._state.done_bytes + page.source_end - page.source_start,
            pages=max(self._state.pages, page.number),
        )
        self._ask_where_a_limit_is_past()

    def _nothing_left(self) -> bool:
        return self._state.cursor is None and not self._open

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _show(self) -> None:
        workflow.set_current_details(self._steps.details(self.progress()))
