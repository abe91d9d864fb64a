"""Batches whose start was turned away: tried again by themselves, less and less often, and no other waits for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from activities.registry.receipts import Receipt

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0


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
