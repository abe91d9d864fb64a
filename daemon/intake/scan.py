"""The scan: checks everything there is and takes each file one step further.

Nothing here waits for a hash or for Temporal: those go on in the background between scans.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from activities.disk.atomic_files import sweep
from activities.registry.receipts import Receipt, Receipts
from daemon.config.settings import Settings
from daemon.intake.admit.admission import Taking
from daemon.intake.admit.refusals import Obstacle
from daemon.intake.admit.screening import Screened, Screening
from daemon.intake.dispatch import Launches, Starter
from daemon.intake.observe.entries import DUPLICATES, Dropped
from daemon.intake.observe.queue import Queue
from daemon.intake.presence import Presence
from daemon.intake.recovery import Found, Leftovers
from daemon.intake.shared_work import SharedWork
from workflows.errors import BatchdError, TemporalUnreachable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What one scan found. `lost` says why there is no inbox; `next_due_s` when the next scan can do more.

    `waiting_since_s` is when the first of the files that settle or are held was first seen, by the clock.

    `claimed` counts the batches whose files lie in the inbox; -1 where that could not be seen. Without `leads`, another
    daemon works the inbox and nothing was done.
    """

    settling: int = 0
    held: int = 0
    left: int = 0
    queued: int = 0
    starting: int = 0
    claimed: int = -1
    leads: bool = True
    next_due_s: float | None = None
    waiting_since_s: float | None = None
    lost: str | None = None
    inbox_id: tuple[int, int] | None = None
    took_s: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether there was no file at all, neither waiting nor claimed."""
        return not (self.settling or self.held or self.left or self.queued or self.starting or self.claimed)


class Intake:
    """Works one inbox. Lives in one event loop; end it with `close`.

    It does so only while `holds` says so. With `takes_files` off it claims nothing new, and goes on only with what is
    claimed.
    """

    def __init__(
        self,
        settings: Settings,
        starter: Starter,
        shared: SharedWork,
        *,
        holds: Callable[[], bool] = lambda: True,
        takes_files: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._inbox = settings.inbox.absolute()
        self._starter = starter
        self._shared = shared
        self._holds = holds
        self._takes_files = takes_files
        self._clock = clock
        self._receipts = Receipts(settings.state_dir.absolute())
        self._stopping = threading.Event()
        self._presence = Presence(settings)
        self._screening = Screening(settings)
        self._taking = Taking(settings, self._receipts, self._stopping)
        self._leftovers = Leftovers(settings, self._receipts, shared.tally)
        self._queue = Queue(settings.hashes_in_flight, self._take, self._may_begin)
        self._launches = Launches(
            settings, self._receipts, starter, on_room=self._queue.run, tally=shared.tally, clock=clock
        )
        self._asking: set[asyncio.Task[None]] = set()
        self._asked_at_s: float | None = None

    async def scan(self) -> ScanReport:
        """Check the inbox and what is claimed, and go on with all of it. Never raises for a bad file or folder."""
        begun_s = time.monotonic()
        started = set(self._launches.unseen)
        try:
            seen = await self._shared.in_thread(self._seen, self._clock())
            if seen == "another inbox":
                await self._forget_inbox()
                seen = await self._shared.in_thread(self._seen, self._clock())
        except OSError as error:
            return ScanReport(lost=self._presence.note_lost(error))
        if seen == "nothing new":
            return ScanReport(inbox_id=self._presence.inbox_id, claimed=0)
        if isinstance(seen, str):
            return ScanReport(leads=seen != "another leads")
        screened, found = seen
        self._launches.unseen -= started
        self._presence.note_found()
        self._go_on(screened, found)
        report = self._report(screened, found, time.monotonic() - begun_s)
        self._presence.note_empty(empty=report.is_empty)
        return report

    def _seen(self, now_s: float) -> tuple[Screened, Found] | Literal["nothing new", "another leads", "another inbox"]:
        """Look at everything there is, in one go: a quiet inbox costs one call of a thread. Blocking."""
        if self._presence.is_still_empty():
            return "nothing new"
        if not self._holds():
            return "another leads"
        if self._presence.note_folder():
            return "another inbox"
        self._presence.check_folders()
        screened = self._screening.screen(now_s, self._queue) if self._takes_files else Screened()
        return screened, self._leftovers.adopt(self._is_in_hand)

    def files_now(self, report: ScanReport) -> dict[str, int]:
        """Return the files by state: what waits for a scan, or has ended, as `report`, the last one, found it."""
        claimed = (self._leftovers.present | self._launches.unseen) - self._launches.ids
        return {
            "settling": report.settling,
            "held": report.held,
            "left": report.left,
            "queued": len(self._queue),
            "starting": len(self._launches),
            "claimed": len(claimed),
        }

    def oldest_s(self, report: ScanReport) -> float:
        """Return for how long the file waits that waits longest to become a batch; 0 where none does."""
        since = (report.waiting_since_s, self._queue.waiting_since_s, self._launches.waiting_since_s)
        return max((self._clock() - each for each in since if each is not None), default=0.0)

    async def idle(self) -> None:
        """Wait until nothing goes on in the background; raise what killed any of it."""
        while tasks := self._queue.tasks | self._launches.tasks | self._asking:
            done, _ = await asyncio.wait(tasks)
            for task in done:
                task.result()

    async def close(self) -> None:
        """Stop what goes on in the background; the next scan of anyone goes on with it."""
        self._stopping.set()
        tasks = self._queue.tasks | self._launches.tasks | self._asking
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self, screened: Screened, found: Found) -> None:
        for dropped in screened.settled:
            self._queue.add(dropped)
        for dropped in found.to_take:
            self._queue.add_leftover(dropped)
        for receipt in found.to_start:
            self._launches.add(receipt)
        self._launches.retry()
        self._queue.run()
        if not self._asking and self._ask_is_due():
            self._asked_at_s = self._clock()
            task = asyncio.create_task(self._ask())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    def _is_in_hand(self, batch_id: str) -> bool:
        return batch_id in self._taking.being_claimed or batch_id in self._launches

    def _may_begin(self) -> bool:
        return self._launches.has_room() and not self._stopping.is_set()

    async def _take(self, few: list[Dropped]) -> None:
        async with self._shared.hashing:
            results = await self._shared.in_thread(self._taking.take_few, few)
        for dropped, taken in results:
            if isinstance(taken, Receipt):
                self._launches.add(taken)
            elif isinstance(taken, Obstacle) and dropped.folder == self._inbox:
                self._screening.leave(dropped.name, dropped.fingerprint, taken)
            elif taken is not None:
                self._delay(dropped, taken.why if isinstance(taken, Obstacle) else str(taken))

    def _delay(self, dropped: Dropped, why: str) -> None:
        if dropped.folder == self._inbox:
            self._screening.delay(dropped.name, why)
        else:
            self._leftovers.log(os.fsencode(dropped.folder.name), why)

    def _ask_is_due(self) -> bool:
        return self._asked_at_s is None or self._clock() - self._asked_at_s >= self._settings.rescan_s

    async def _ask(self) -> None:
        """Ask Temporal about a few of the batches that should be running, in turn."""
        for batch_id in self._leftovers.next_to_ask():
            try:
                outcome = await self._starter.outcome(batch_id)
                if outcome != "running":
                    again = await self._shared.in_thread(self._leftovers.act_on, batch_id, outcome)
                    if again:
                        self._launches.add(again)
            except TemporalUnreachable:
                return  # the launches log it; running batches need nothing from us
            except (OSError, BatchdError) as error:
                logger.warning("batch.filing_delayed", extra={"fields": {"id": batch_id, "why": str(error)}})

    async def _forget_inbox(self) -> None:
        """Begin anew with the folder that stands there now."""
        self._screening.clear()
        self._leftovers.clear()
        self._queue.clear()
        for folder in (self._settings.state_dir, self._receipts.folder, self._settings.inbox / DUPLICATES):
            await self._shared.in_thread(sweep, folder)

    def _report(self, screened: Screened, found: Found, took_s: float) -> ScanReport:
        due = [each for each in (screened.next_due_s, self._launches.retry_in_s) if each is not None]
        return ScanReport(
            settling=screened.settling,
            held=screened.held,
            left=screened.left,
            queued=len(self._queue),
            starting=len(self._launches),
            claimed=found.claimed,
            next_due_s=min(due, default=None),
            waiting_since_s=screened.waiting_since_s,
            inbox_id=self._presence.inbox_id,
            took_s=took_s,
        )
