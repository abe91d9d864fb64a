"""The scan: looks at everything there is and takes each file one step further.

Nothing here waits for a hash or for Temporal: those go on in the background between scans.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from activities.disk.atomic_files import sweep
from activities.registry.receipts import Receipt, Receipts
from activities.source.inbox import blocked_folder, in_the_way
from daemon.config.settings import Settings
from daemon.intake.admit.admission import Taking
from daemon.intake.dispatch import Launches, Starter
from daemon.intake.observe.entries import Dropped
from daemon.intake.observe.inbox_access import check_own_folders
from daemon.intake.observe.names import DUPLICATES, FOLDERS
from daemon.intake.observe.queue import Queue
from daemon.intake.observe.refusal import Refusal
from daemon.intake.observe.snapshot import Look, Seen, folder_identity
from daemon.intake.recovery import Found, Leftovers
from workflows.errors import BatchdError, TemporalUnreachable

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What one scan saw. `lost` says why there is no inbox; `next_due_s` when the next scan can do more."""

    settling: int = 0
    held: int = 0
    left: int = 0
    queued: int = 0
    starting: int = 0
    next_due_s: float | None = None
    lost: str | None = None
    inbox_id: tuple[int, int] | None = None
    took_s: float = 0.0


class Intake:
    """Works one inbox. Lives in one event loop; end it with `close`."""

    def __init__(self, settings: Settings, starter: Starter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._inbox = settings.inbox.absolute()
        self._starter = starter
        self._clock = clock
        self._receipts = Receipts(settings.state_dir.absolute())
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(2 * settings.hashes_in_flight + 1, thread_name_prefix="intake")
        self._look = Look(settings)
        self._taking = Taking(settings, self._receipts, self._stopping)
        self._leftovers = Leftovers(settings, self._receipts)
        self._queue = Queue(settings.hashes_in_flight, self._take, self._may_begin)
        self._launches = Launches(settings, self._receipts, starter, on_room=self._queue.run, clock=clock)
        self._asking: set[asyncio.Task[None]] = set()
        self._asked_at_s: float | None = None
        self._inbox_id: tuple[int, int] | None = None
        self._lost: str | None = None
        self._blocked: Path | None = None
        self._lost_scans = 0

    async def scan(self) -> ScanReport:
        """Look at the inbox and at what is claimed, and go on with all of it. Never raises for a bad file or folder."""
        begun_s = time.monotonic()
        try:
            inbox_id = await self._in_thread(folder_identity, self._settings)
            await self._know_inbox(inbox_id)
            await self._in_thread(check_own_folders, self._inbox)
            self._note_blocked(await self._in_thread(blocked_folder, self._inbox, FOLDERS))
            seen = await self._in_thread(self._look.around, self._clock(), self._queue)
            found = await self._in_thread(self._leftovers.adopt, self._is_in_hand)
        except OSError as error:
            return self._note_lost(error)
        self._note_mended()
        self._go_on(seen, found)
        return self._report(seen, time.monotonic() - begun_s)

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
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    def _go_on(self, seen: Seen, found: Found) -> None:
        for dropped in seen.settled:
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
        for dropped, taken in await self._in_thread(self._taking.take_few, few):
            if isinstance(taken, Receipt):
                self._launches.add(taken)
            elif isinstance(taken, Refusal) and dropped.folder == self._inbox:
                self._look.leave(dropped.name, dropped.fingerprint, taken)
            elif taken is not None:
                self._delay(dropped, taken.what if isinstance(taken, Refusal) else str(taken))

    def _delay(self, dropped: Dropped, why: str) -> None:
        if dropped.folder == self._inbox:
            self._look.delay(dropped.name, why)
        else:
            self._leftovers.tell(os.fsencode(dropped.folder.name), why)

    def _ask_is_due(self) -> bool:
        return self._asked_at_s is None or self._clock() - self._asked_at_s >= self._settings.rescan_s

    async def _ask(self) -> None:
        """Ask Temporal about a few of the batches that should be running, in turn."""
        for batch_id in self._leftovers.next_to_ask():
            try:
                outcome = await self._starter.outcome(batch_id)
                if outcome != "running":
                    again = await self._in_thread(self._leftovers.act_on, batch_id, outcome)
                    if again:
                        self._launches.add(again)
            except TemporalUnreachable:
                return  # the launches tell of it; running batches need nothing from us
            except (OSError, BatchdError) as error:
                logger.warning("batch.filing_delayed", extra={"fields": {"id": batch_id, "why": str(error)}})

    async def _know_inbox(self, inbox_id: tuple[int, int]) -> None:
        if inbox_id == self._inbox_id:
            return
        if self._inbox_id is not None:
            why = "another folder stands there now; it is watched from here on"
            logger.warning("inbox.replaced", extra={"fields": {"inbox": str(self._settings.inbox), "why": why}})
        self._inbox_id = inbox_id
        self._look.clear()
        self._leftovers.clear()
        self._queue.clear()
        for folder in (self._settings.state_dir, self._receipts.folder, self._settings.inbox / DUPLICATES):
            await self._in_thread(sweep, folder)

    def _note_lost(self, error: OSError) -> ScanReport:
        why = f"{error.strerror or error}: {os.fsdecode(error.filename or self._settings.inbox)}"
        self._lost_scans += 1
        if self._lost != why:
            self._lost = why
            fields = {"inbox": str(self._settings.inbox), "why": why, "todo": "it is looked for at every rescan"}
            logger.error("inbox.lost", extra={"fields": fields})
        return ScanReport(lost=why)

    def _note_blocked(self, blocked: Path | None) -> None:
        """Say once that no file can be filed or set aside: what waits for that goes on by itself."""
        if blocked is not None and blocked != self._blocked:
            logger.error("inbox.blocked", extra={"fields": {"path": str(blocked), "why": in_the_way(blocked)}})
        self._blocked = blocked

    def _note_mended(self) -> None:
        if self._lost is not None:
            fields = {"inbox": str(self._settings.inbox), "was": self._lost, "scans_without": self._lost_scans}
            logger.info("inbox.found", extra={"fields": fields})
            self._lost, self._lost_scans = None, 0

    def _report(self, seen: Seen, took_s: float) -> ScanReport:
        due = [each for each in (seen.next_due_s, self._launches.retry_in_s) if each is not None]
        return ScanReport(
            settling=seen.settling,
            held=seen.held,
            left=seen.left,
            queued=len(self._queue),
            starting=len(self._launches),
            next_due_s=min(due, default=None),
            inbox_id=self._inbox_id,
            took_s=took_s,
        )

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
