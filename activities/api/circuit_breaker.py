"""Is the API down? Decided over all batches of a worker, so that an outage is a wait and not ten thousand fallbacks.

Closed, calls go through. Open, none do, but for one probe at a time when it is due; its success closes the circuit.
Release It! (Nygard) calls this a circuit breaker. It opens when somebody says so: failures make it suspect only, since
a row that was answered before can be asked about again first.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from random import Random

from activities.api.options import LONGEST_HELD_S
from activities.api.others import Others
from workflows.ids import printable

FAILURES_IN_A_ROW = 20
"""With one call in ten failing by chance, once in 10^20 calls."""

REMEMBERED_CALLS = 50
MOST_FAILURES = 40
"""Of the calls remembered: an API that fails four calls in five is as good as down."""

FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 15.0

JITTER = 0.2

logger = logging.getLogger(__name__)


class CircuitBreaker:
    """The state of the API as one worker sees it. Times come from `clock`, in seconds.

    `longest_asked_s` is what the API may put a probe off by.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        random: Random,
        *,
        longest_asked_s: float = LONGEST_HELD_S,
        others: Others | None = None,
    ) -> None:
        self._others = others or Others()
        self.on_told_down: Callable[[], None] = lambda: None
        """Called when another process found the API to be down: nobody here begins a call any more."""
        self._clock = clock
        self._random = random
        self.longest_asked_s = longest_asked_s
        self._answered_call_at = float("-inf")
        self._probe_at: float | None = None
        self._opened_at = self._down_at = 0.0
        self._backoff_s = FIRST_PROBE_S
        self._probing = False
        self.detail = ""
        self._forget_failures()

    @property
    def is_open(self) -> bool:
        """Whether the API is taken to be down."""
        return self._probe_at is not None

    @property
    def is_suspect(self) -> bool:
        """Whether so many calls failed lately that the API may be down."""
        return self._in_a_row >= FAILURES_IN_A_ROW or self._failures >= MOST_FAILURES

    def succeeded(self, took_s: float = 0.0) -> None:
        """Note that the API answered a call sensibly. `took_s`: how long ago the call was made."""
        made_at = self._clock() - took_s
        self._answered_call_at = max(self._answered_call_at, made_at)
        self._in_a_row = 0
        self._remember(failed=False)
        if self._probe_at is not None and made_at >= self._opened_at:
            self.close()

    def failed(self) -> None:
        """Note a failed call."""
        self._in_a_row += 1
        self._remember(failed=True)

    def answers_since(self, moment: float) -> bool:
        """Return whether a call that was made after `moment` was answered sensibly.

        One that was on its way at that moment proves nothing: it may have been the last before an outage.
        """
        return self._answered_call_at > moment

    def open(self, detail: str, *, asked_s: float = 0.0) -> None:
        """Take the API to be down from now on.

        `asked_s` is how long the API asked to be left alone (Retry-After), here and below.
        """
        if not self.is_open:
            self._opened_at = self._down_at = self._clock()
            self._probe_later(detail, asked_s)
            logger.warning("api.down", extra={"fields": {"why": printable(detail)}})

    def close(self) -> None:
        """Take the API to be up: it has just answered."""
        if self.is_open:
            down_s = round(self._clock() - self._down_at, 1)
            logger.info("api.up", extra={"fields": {"down_s": down_s}})
            self._others.up()
        self.told_up()

    def told_down(self, detail: str, wait_s: float) -> None:
        """Take the API to be down, as another process found it; the next probe comes in `wait_s` at the soonest."""
        now = self._clock()
        if not self.is_open:
            self._down_at = now
        self._opened_at = now
        self._probing = False
        self._backoff_s = min(max(self._backoff_s, wait_s), LONGEST_PROBE_S)
        self.detail = detail
        self._probe_at = now + wait_s
        self.on_told_down()

    def told_up(self) -> None:
        """Take the API to be up, as another process found it."""
        self._probe_at = None
        self._probing = False
        self._backoff_s = FIRST_PROBE_S
        self._forget_failures()

    def take_probe(self) -> bool:
        """Take the right to make the one call of this process that asks whether the API is back."""
        due = self._probe_at is not None and not self._probing and self._clock() >= self._probe_at
        self._probing = self._probing or due
        return due

    def probe_not_allowed(self) -> None:
        """Give the right to probe back: another process asks, or has asked just now."""
        self._probing = False

    def probe_failed(self, detail: str, *, asked_s: float = 0.0) -> None:
        """Note that the API is down, still or as was found out just now; the next probe comes later."""
        self._probing = False
        self._opened_at = self._clock()
        self._backoff_s = min(self._backoff_s * 2, LONGEST_PROBE_S)
        self._probe_later(detail, asked_s)

    def probe_given_up(self) -> None:
        """Give the right to probe back, unused."""
        self._probing = False
        self._others.probe_given_up()

    def retry_after_s(self) -> float:
        """Return how long to wait before asking again."""
        left_s = max(0.0, (self._probe_at or 0.0) - self._clock())
        return left_s + self._random.uniform(0, JITTER)

    def _probe_later(self, detail: str, asked_s: float) -> None:
        self.detail = detail
        wait_s = self._backoff_s * self._random.uniform(1 - JITTER, 1)
        wait_s = max(wait_s, min(asked_s, self.longest_asked_s))
        self._probe_at = self._clock() + wait_s
        self._others.down(detail, wait_s)

    def _remember(self, *, failed: bool) -> None:
        self._failures += failed - (self._recent[0] if len(self._recent) == REMEMBERED_CALLS else 0)
        self._recent.append(failed)

    def _forget_failures(self) -> None:
        self._in_a_row = 0
        self._failures = 0
        self._recent: deque[bool] = deque(maxlen=REMEMBERED_CALLS)
