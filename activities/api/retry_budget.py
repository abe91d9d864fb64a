"""How many retries the API is asked to bear in all.

When everything fails, retries multiply the load by the number of attempts just when the API can bear it least. The
budget, after Finagle's, lets retries be a share of the first calls, with a small reserve so that small files get all
their attempts.
"""

from __future__ import annotations

DEPOSIT = 0.18
"""Retries earned by a first call: ten failures in a hundred calls need eleven."""

RESERVE = 10.0
"""What a worker starts with, and the most it saves up."""


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
