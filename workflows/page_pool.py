"""The pages of a batch: where they come from, and those that are being worked, each by a task of its own.

A page is enriched and saved; where a pause, an outage or a changed limit stands in its way it waits and goes on by
itself. Up to `pages_in_flight` of them run at once, so the last slow row of a page never idles the API.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.models import SERVICE, CallLimits, Counts, Cursor, Page
from workflows.operator_signals import Pauses
from workflows.outage import Outage
from workflows.requests import EnrichedPage, LoadedPages, SavedChunk
from workflows.state import LiveBatch
from workflows.steps import Steps


class PageSource(ABC):
    """Loads pages, a few or all at a time. A load may be tried again for ever, so a cancel calls it off."""

    def __init__(self, batch: LiveBatch, steps: Steps) -> None:
        self._batch = batch
        self._steps = steps
        self._is_loading = False
        self._called_off = False

    async def load(self) -> list[Page]:
        """Return the pages at the cursor and move it on, to None behind the last page.

        A load that was called off returns none, however it ended.
        """
        cursor = self._batch.state.cursor
        assert cursor is not None, "nothing is loaded behind the end"  # noqa: S101 - a broken invariant, not input
        self._is_loading = True
        try:
            loaded = await self.pages_at(cursor)
        except (FailureError, asyncio.CancelledError):
            if not self._called_off:
                raise
            return []
        finally:
            self._is_loading = False
        self._batch.state = replace(self._batch.state, cursor=loaded.next)
        if loaded.next is None:
            total = cursor.row - 1 + sum(page.records for page in loaded.pages)
            self._batch.state = replace(self._batch.state, total_rows=total)
        return loaded.pages

    def call_off(self, work: asyncio.Task[object]) -> None:
        """End a load that `work` waits for; where it waits for none, do nothing."""
        if self._is_loading and workflow.patched("cancel-calls-off-a-load"):
            self._called_off = True
            work.cancel()

    @abstractmethod
    async def pages_at(self, cursor: Cursor) -> LoadedPages:
        """Find the pages at `cursor`."""


class PagePool:
    """The queue of pages, those in flight, and what becomes of each. `failure` is the first error of any of them.

    `publish_progress` is called whenever the progress has changed.
    """

    def __init__(
        self, batch: LiveBatch, steps: Steps, outage: Outage, pauses: Pauses, publish_progress: Callable[[], None]
    ) -> None:
        self._batch = batch
        self._steps = steps
        self._outage = outage
        self._pauses = pauses
        self._publish_progress = publish_progress
        self._pending: deque[Page] = deque(batch.request.state.open_pages)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._blocked: set[int] = set()
        self.failure: BaseException | None = None

    @property
    def has_pending(self) -> bool:
        """Whether a loaded page has not begun yet."""
        return bool(self._pending)

    @property
    def is_idle(self) -> bool:
        """Whether no page is in flight."""
        return not self._tasks

    @property
    def is_blocked(self) -> bool:
        """Whether each page in flight waits for a pause or an outage to end, so that none is mid-way."""
        return len(self._blocked) == len(self._tasks)

    @property
    def is_held(self) -> bool:
        """Whether no further page may be loaded or begun: paused, waiting for the API, or on the way out."""
        return self._batch.paused or self._outage.waiting is not None or self._batch.cancelled

    def enqueue(self, pages: list[Page]) -> None:
        """Put pages behind those that wait."""
        for page in pages:
            self._pending.append(page)
            self._batch.open_pages[page.number] = page

    def start_pages(self) -> None:
        """Begin as many of the waiting pages as may be in flight."""
        while self._pending and self.may_start():
            self.start(self._pending.popleft())

    def start(self, page: Page) -> None:
        """Begin one page, whatever else is in flight."""
        self._tasks[page.number] = asyncio.create_task(self._run(page))
        self._batch.pages_in_flight = len(self._tasks)

    def may_start(self) -> bool:
        """Return whether one more page may begin."""
        return len(self._tasks) < self._pages_at_once() and not self.is_held and not self._batch.turnover_due

    async def stop(self) -> None:
        """End the pages in flight; what their rows got is durable."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _pages_at_once(self) -> int:
        """Return how many pages may be worked: a worker process makes at least one call at once for each of its own."""
        most = self._batch.shape.pages_in_flight
        return min(most, self._batch.state.limits.concurrency or most)

    async def _run(self, page: Page) -> None:
        try:
            await self._work(page)
            self._publish_progress()
        except Exception as error:  # noqa: BLE001 - the main line raises it, whatever it is
            self.failure = self.failure or error
        finally:
            del self._tasks[page.number]
            self._blocked.discard(page.number)
            self._batch.pages_in_flight = len(self._tasks)

    async def _work(self, page: Page) -> None:
        while await self._wait_for_clearance(page):
            limits = self._batch.state.limits
            enriched = await self._steps.enrich(
                page,
                limits=limits,
                probe=self._outage.is_prober(page.number),
                stopped=partial(self._to_be_called_off, limits),
            )
            if enriched is not None and await self._settle(page, enriched):
                return

    async def _wait_for_clearance(self, page: Page) -> bool:
        """Wait until this page may call the API; False when the batch is on its way out without the API."""
        self._blocked.add(page.number)
        if self._outage.is_prober(page.number):
            await self._outage.until_next_probe(lambda: self._batch.cancelled)
        await workflow.wait_condition(lambda: self._batch.cancelled or self._may_call(page))
        self._blocked.discard(page.number)
        return not (self._batch.cancelled and self._outage.waiting)

    def _may_call(self, page: Page) -> bool:
        if self._batch.paused or self._outage.holds(page.number):
            return False
        before = sum(number < page.number for number in self._tasks)
        # The page that asks whether the API is back is the only one to call, whatever pages are before it.
        return self._outage.is_prober(page.number) or before < self._pages_at_once()

    def _to_be_called_off(self, limits: CallLimits) -> bool:
        return self._batch.paused or self._batch.state.limits != limits

    async def _settle(self, page: Page, enriched: EnrichedPage) -> bool:
        """Act on the outcome of one attempt; True when the page is saved or given up."""
        if enriched.outcome in {"done", "api_up"}:
            self._note_api_up()
        if enriched.outcome == "done":
            return await self._save(page, enriched)
        if enriched.outcome == "api_down":
            self._note_api_down(page, enriched)
        elif enriched.outcome == "api_refused":
            self._pauses.begin(by=SERVICE, reason=enriched.detail)
        elif enriched.outcome == "unprepared" and not self._batch.cancelled:
            await self._steps.prepare()
        # On the way out nobody waits for the API: the page stays undone and the manifest says so.
        return self._batch.cancelled and enriched.outcome != "api_up"

    def _note_api_down(self, page: Page, enriched: EnrichedPage) -> None:
        if not self._outage.since:  # else it lasts, since before this run of the workflow maybe
            self._batch.log("batch.waiting", logging.WARNING, on="api", why=enriched.detail)
        self._outage.began(page.number, enriched)
        self._publish_progress()

    def _note_api_up(self) -> None:
        if self._outage.since:
            self._batch.log("batch.running")
        if self._outage.ended():
            self._publish_progress()

    async def _save(self, page: Page, enriched: EnrichedPage) -> bool:
        saved = enriched.saved or await self._steps.save(page)
        if saved.file is not None:
            self._count(page, saved, enriched)
        return saved.file is not None

    def _count(self, page: Page, saved: SavedChunk, enriched: EnrichedPage) -> None:
        batch = self._batch
        batch.state = replace(batch.state, stats=batch.state.stats.plus(enriched.stats))
        if batch.open_pages.pop(page.number, None) is None or batch.state.damaged:
            return  # worked again because its chunk was damaged: it was counted before
        counts = Counts(
            records=saved.enriched + saved.not_found + saved.fallback + saved.rejected,
            enriched=saved.enriched,
            fallback=saved.fallback,
            rejected=saved.rejected,
            by_error=saved.by_error,
            not_found=saved.not_found,
        )
        batch.state = replace(
            batch.state,
            counts=batch.state.counts.plus(counts),
            done_bytes=batch.state.done_bytes + page.source_end - page.source_start,
            pages=max(batch.state.pages, page.number),
        )
        self._pauses.ask_where_a_limit_is_past()
