"""What is remembered of starts: those turned away, which are tried again, and those whose receipt does not say it yet.

A batch that was turned away is tried again by itself, less and less often, and no other waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from activities.disk.failpoints import failpoint
from activities.registry.receipts import Receipt, Receipts
from workflows.errors import BatchdError

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
NOTE_AFTER_S = 5.0
"""Most batches are small and end before this, and their receipt is written once less."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Trouble:
    why: str
    pause_s: float
    due_s: float
    receipt: Receipt | None


class Postponed:
    """The postponed batches, each with its reason and the time of its next try by `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    def __len__(self) -> int:
        return sum(each.receipt is not None for each in self._troubles.values())

    @property
    def next_in_s(self) -> float | None:
        """Seconds until the first one is due; None where there is none."""
        waiting = [each.due_s for each in self._troubles.values() if each.receipt is not None]
        return max(0.0, min(waiting) - self._clock()) if waiting else None

    def add(self, receipt: Receipt, why: str) -> bool:
        """Put a batch off; True where the reason is another one than last time."""
        before = self._troubles.get(receipt.id)
        pause_s = min(2 * before.pause_s, LONGEST_PAUSE_S) if before else FIRST_PAUSE_S
        self._troubles[receipt.id] = _Trouble(why, pause_s, self._clock() + pause_s, receipt)
        return before is None or before.why != why

    def take_due(self) -> list[Receipt]:
        """Return the batches to be tried again now. How often each was tried is remembered until `forget`."""
        due = [each for each in self._troubles.values() if each.receipt is not None and each.due_s <= self._clock()]
        taken = [each.receipt for each in due if each.receipt is not None]
        for each in due:
            each.receipt = None
        return taken

    def forget(self, batch_id: str) -> None:
        """Forget a batch that was started, or that is there no more."""
        self._troubles.pop(batch_id, None)


class Started:
    """The batches that have started and whose receipts do not say so yet. Lives in one event loop."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self._started: dict[str, tuple[float, Receipt]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._started

    def add(self, running: Receipt) -> None:
        """Remember a batch with the receipt that it is to have."""
        self._started[running.id] = (asyncio.get_running_loop().time() + NOTE_AFTER_S, running)

    def note_due(self) -> None:
        """Begin to write the receipts of what has run for a while; without them a restart starts it again, in vain."""
        if self._started and not self.tasks:
            task = asyncio.create_task(self._note_due())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def note(self, receipts: list[Receipt]) -> bool:
        """Write receipts of batches that have not ended; False where they cannot be written now."""
        try:
            await asyncio.to_thread(self._write_unless_ended, receipts)
        except BatchdError as error:
            logger.warning("receipt.delayed", extra={"fields": {"why": str(error)}})
            return False
        return True

    async def _note_due(self) -> None:
        now_s = asyncio.get_running_loop().time()
        due = [receipt for due_s, receipt in self._started.values() if due_s <= now_s]
        if await self.note(due):
            for receipt in due:
                self._started.pop(receipt.id, None)

    def _write_unless_ended(self, due: list[Receipt]) -> None:
        for receipt in due:
            now = self._receipts.read(receipt.id)
            if now is None or not now.ended:
                self._receipts.write(receipt, synced=False)
            failpoint("launch.receipted")
