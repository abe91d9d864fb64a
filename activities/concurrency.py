"""How many calls at once the API takes well: found by trying, after TCP's congestion control.

It starts low, doubles while the API keeps up (slow start), and then moves by small steps. Signs of too much are
rejections (429, 503), timeouts, and latency that grows with the number of calls (a queue: more calls only wait longer,
as in TCP Vegas). A random 500 and a slow tail are no such signs: the median is watched, and errors are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

SEED = 8
SMALLEST_WINDOW = 16
QUEUE_GROWS = 1.2
"""Median latency over the base above which calls wait for each other."""

QUEUE_IS_SHORT = 1.1
HARMLESS_S = 0.004
"""A queue this short costs nobody anything; on a loopback API it is the noise of the machine."""

TIMEOUT_SHARE = 0.1
REJECTED_STEP = 0.8
QUEUED_STEP = 0.93
BASE_AGE_S = 30.0
"""After this long the base latency is measured anew, at half the calls for one window."""


class AdaptiveLimit:
    """The number of calls at once, between 1 and `most`. Fed with the outcome of every call."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Start low again: after an outage nobody should storm the API."""
        self.value = min(SEED, self._most)
        self._slow_start = True
        self._base_s: float | None = None
        self._base_at = self._clock()
        self._before_measuring: int | None = None
        self._clear_window()

    def succeeded(self, latency_s: float, *, saturated: bool) -> None:
        """Feed a call that was answered. `saturated`: as many calls were in flight as allowed."""
        self._latencies.append(latency_s)
        self._saturated += saturated
        if len(self._latencies) + self._rejected + self._timeouts >= max(self.value, SMALLEST_WINDOW):
            self._close_window()

    def rejected(self) -> None:
        """Feed a call that the API turned away for having too much to do."""
        self._rejected += 1
        if len(self._latencies) + self._rejected >= max(self.value, SMALLEST_WINDOW):
            self._close_window()

    def timed_out(self) -> None:
        """Feed a call that was not answered in time."""
        self._timeouts += 1

    def _close_window(self) -> None:
        overloaded = self._rejected > 0 or self._timeouts > TIMEOUT_SHARE * len(self._latencies)
        middle_s = median(self._latencies) if self._latencies else None
        saturated = self._saturated * 2 > len(self._latencies)
        self._clear_window()
        if overloaded:
            self._slow_start = False
            self._before_measuring = None
            self._set(self.value * REJECTED_STEP)
        elif middle_s is not None:
            self._follow(middle_s, saturated=saturated)

    def _follow(self, middle_s: float, *, saturated: bool) -> None:
        if self._before_measuring is not None:
            self._base_s, self._base_at = middle_s, self._clock()
            self.value, self._before_measuring = self._before_measuring, None
            return
        base_s = self._base_s = middle_s if self._base_s is None else min(self._base_s, middle_s)
        if middle_s > base_s * QUEUE_GROWS and middle_s - base_s > HARMLESS_S:
            self._slow_start = False
            self._set(self.value * QUEUED_STEP)
        elif saturated and (middle_s < base_s * QUEUE_IS_SHORT or middle_s - base_s < HARMLESS_S):
            self._set(self.value * 2 if self._slow_start else self.value + max(1, self.value // 32))
        if self._clock() - self._base_at > BASE_AGE_S:
            self._before_measuring = self.value
            self.value = max(1, self.value // 2)

    def _set(self, value: float) -> None:
        self.value = max(1, min(self._most, int(value)))

    def _clear_window(self) -> None:
        self._latencies: list[float] = []
        self._saturated = self._rejected = self._timeouts = 0
