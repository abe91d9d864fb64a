"""How many calls go through in a time: what a bucket is, and the one for a rate of a second.

A bucket is asked before a call and pays for it; it never sleeps. Who waits for it, and in which order, is the
business of the scheduler. The bucket for a quota of hours or days is in `quota/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Bucket(Protocol):
    """What lets so many calls through in a time."""

    def wait_s(self) -> float:
        """Return the seconds until the next call may go; 0 where it may now."""

    def take(self) -> None:
        """Use up one call; `wait_s` has just returned 0."""


class TokenBucket:
    """Lets `rate` calls a second through, with a burst of a tenth of a second."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = 1.0
        self._filled_at = clock()

    def wait_s(self) -> float:
        """Return the seconds until the next call may go; 0 where it may now."""
        self._fill()
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._rate

    def change_rate(self, rate: float) -> None:
        """Let `rate` calls a second through from now on. What was saved up stays, within the burst of that rate."""
        self._fill()
        self._rate = rate
        self._fill()

    def give_back(self, calls: int) -> None:
        """Let others have calls that were taken and are not begun, within the burst."""
        self._tokens += calls
        self._fill()

    def close(self) -> None:
        """Do nothing: nobody else waits for what is left."""

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(max(1.0, self._rate / 10), self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def take(self) -> None:
        """Use up one call."""
        self._tokens -= 1
