"""Is the API down? Judged over all batches of a worker, so that an outage is a wait and not ten thousand fallbacks.

Closed, calls go through. Open, none do, but for one probe at a time when it is due; its success closes the circuit.
Release It! (Nygard) calls this a circuit breaker.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from activities.answers import OUTAGE_CODES

FAILURES_TO_OPEN = 20
"""Failed calls in a row: with one call in ten failing by chance, once in 10^20 calls."""

EXHAUSTED_ROWS_TO_OPEN = 3
"""Rows in a row that used up all attempts on errors that might be about the row itself."""

FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 15.0
LONGEST_ASKED_S = 25.0
"""What the API may put a probe off by: batches go on within half a minute of its recovery, whatever it had said."""

JITTER = 0.2


class Circuit:
    """The state of the API as one worker sees it. Times come from `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float], random: Random) -> None:
        self._clock = clock
        self._random = random
        self._failures = 0
        self._exhausted_rows = 0
        self._answered_call_at = float("-inf")
        self._probe_at: float | None = None
        self._backoff_s = FIRST_PROBE_S
        self._probing = False
        self.detail = ""

    @property
    def is_open(self) -> bool:
        """Whether the API is taken to be down."""
        return self._probe_at is not None

    def succeeded(self, took_s: float = 0.0) -> None:
        """Note that the API answered a call sensibly: it is up. `took_s`: how long ago the call was made."""
        self._failures = self._exhausted_rows = 0
        self._answered_call_at = max(self._answered_call_at, self._clock() - took_s)
        self._probe_at = None
        self._probing = False
        self._backoff_s = FIRST_PROBE_S

    def failed(self, detail: str, *, asked_s: float = 0.0) -> None:
        """Note a failed call; the circuit opens when there were too many in a row.

        `asked_s` is how long the API asked to be left alone (Retry-After), here and below.
        """
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self.open(detail, asked_s=asked_s)

    def answers_since(self, moment: float) -> bool:
        """Tell whether a call that was made after `moment` was answered sensibly.

        One that was on its way at that moment proves nothing: it may have been the last before an outage.
        """
        return self._answered_call_at > moment

    def exhausted(self, code: str) -> bool:
        """Tell whether a row that used up its attempts, with none to compare it to, shows that the API is down."""
        self._exhausted_rows += 1
        if code in OUTAGE_CODES or self._exhausted_rows >= EXHAUSTED_ROWS_TO_OPEN:
            self.open(code)
        return self.is_open

    def open(self, detail: str, *, asked_s: float = 0.0) -> None:
        """Take the API to be down from now on."""
        if not self.is_open:
            self._probe_later(detail, asked_s)

    def take_probe(self) -> bool:
        """Take the right to make the one call that asks whether the API is back."""
        due = self._probe_at is not None and not self._probing and self._clock() >= self._probe_at
        self._probing = self._probing or due
        return due

    def probe_failed(self, detail: str, *, asked_s: float = 0.0) -> None:
        """Note that the API is still down; the next probe comes later."""
        self._probing = False
        self._backoff_s = min(self._backoff_s * 2, LONGEST_PROBE_S)
        self._probe_later(detail, asked_s)

    def probe_given_up(self) -> None:
        """Give the right to probe back, unused."""
        self._probing = False

    def retry_after_s(self) -> float:
        """Return how long to wait before asking again."""
        left_s = max(0.0, (self._probe_at or 0.0) - self._clock())
        return left_s + self._random.uniform(0, JITTER)

    def _probe_later(self, detail: str, asked_s: float) -> None:
        self.detail = detail
        wait_s = self._backoff_s * self._random.uniform(1 - JITTER, 1)
        self._probe_at = self._clock() + max(wait_s, min(asked_s, LONGEST_ASKED_S))
