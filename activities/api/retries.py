"""The calls made for one row so far, how long it rests before the next, and how many retries the API bears in all.

When everything fails, retries multiply the load by the number of attempts just when the API can bear it least. The
budget, after Finagle's, lets retries be a share of the first calls, with a small reserve so that small files get all
their attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from activities.api.replies import STALE, Reply
from activities.api.rows import CallRow

FIRST_BACKOFF_S = 0.05
FIRST_SLOW_DOWN_S = 1.0
PATIENT_S = 1.0
LONGEST_BACKOFF_S = 10.0

DEPOSIT = 0.18
"""Retries earned by a first call: ten failures in a hundred calls need eleven."""

RESERVE = 10.0
"""What a worker starts with, and the most it saves up."""


class Attempt(NamedTuple):
    """A row that is due for a call.

    `statuses` are what its calls have come to. `last`: it used up its attempts, and this call decides.
    """

    row: CallRow
    statuses: tuple[str, ...] = ()
    last: bool = False

    @property
    def attempts(self) -> int:
        """How many calls the API saw."""
        return sum(status != STALE for status in self.statuses)

    @property
    def was_stale(self) -> bool:
        """True where the last call went over a connection that was closed under it."""
        return self.statuses[-1:] == (STALE,)

    def rest_s(self, reply: Reply, jitter: Callable[[float], float], *, patient: bool = False) -> float:
        """Return for how long to rest after `reply`: full jitter, longer with each call.

        `patient`: the retry budget is used up, so others go first. A call that the API never saw needs no rest; what
        the API asked for (Retry-After) is the least, up to 10 s.
        """
        if reply.status == STALE:
            return 0.0
        asked_s = min(LONGEST_BACKOFF_S, reply.retry_after_s or 0.0)
        first_s = PATIENT_S if patient else FIRST_SLOW_DOWN_S if reply.slow_down else FIRST_BACKOFF_S
        return max(asked_s, jitter(min(LONGEST_BACKOFF_S, first_s * 2 ** (len(self.statuses) - 1))))


class RetryBudget:
    """Earns with first calls, spends on retries."""

    def __init__(self) -> None:
        self._tokens = RESERVE

    def earn(self) -> None:
        """Note a first call."""
        self._tokens = min(RESERVE, self._tokens + DEPOSIT)

    def spend(self, *, sent: bool) -> bool:
        """Take a retry; False where there is none left. One after a call that was never `sent` costs nothing."""
        if not sent:
            return True
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
