"""How many calls at once the API takes well: found by trying, and judged by throughput.

Up to its knee an API answers more calls at once in the same time, so throughput grows with concurrency; behind it calls
only wait for each other. So the limit is found by experiments: a window of calls at the present limit, one at another,
and the other is kept if throughput says so. It starts low, doubles while that pays (slow start), then tries a fifth
more or a little less now and then, ever more rarely. Rejections (429, 503) and timeouts lower it at once. A random 500
and a slow tail are no signs of anything. Latency alone is no judge: it grows with a busy client too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

SEED = 8
DOUBLE, MORE, LESS = 2.0, 1.2, 0.85
DOUBLING_PAYS = 1.25
MORE_PAYS = 1.06
LESS_COSTS_NOTHING = 0.98
QUEUE_SHOWS = 1.12
"""Mean latency over the lowest seen from where on it is worth to try fewer calls."""

HARMLESS_S = 0.012
"""Calls that are answered faster than this wait for nobody worth mentioning."""

SMALLEST_WINDOW = 16
SHORTEST_WINDOW_S = 0.1
REJECTED_STEP = 0.8
REJECTED_SHARE = 0.05
"""Of the calls of about two round trips, from where on rejections say that there are too many at once."""

FEWEST_REJECTIONS = 2
"""One alone says nothing: it may be about its row."""

TIMEOUT_SHARE = 0.1
FIRST_REST_S = 1.0
LONGEST_REST_S = 30.0

Phase = Literal["measure", "settle", "try", "rest"]


@dataclass(slots=True)
class _Window:
    """Calls that ended since `began_at`."""

    began_at: float
    answered: int = 0
    saturated: int = 0
    latency_s: float = 0.0

    def throughput(self, now: float) -> float:
        return self.answered / max(now - self.began_at, 1e-9)


class AdaptiveLimit:
    """The number of calls at once, between 1 and `most`. Fed with the outcome of every call."""

    def __init__(self, most: int, clock: Callable[[], float], *, shortest_window_s: float = SHORTEST_WINDOW_S) -> None:
        self._most = most
        self._clock = clock
        self._shortest_window_s = shortest_window_s
        self.restart()

    def restart(self) -> None:
        """Start low again: after an outage nobody should storm the API."""
        self.value = min(SEED, self._most)
        self._kept = self.value
        self._factor = DOUBLE
        self._phase: Phase = "measure"
        self._rest_s = FIRST_REST_S
        self._rest_until = 0.0
        self._before = 0.0
        self._lowest_s = float("inf")
        self._timeouts = 0
        self._lowered_at = float("-inf")
        self._rejections = self._calls = 0
        self._window = _Window(self._clock())

    def change_most(self, most: int) -> None:
        """Search between 1 and another `most`; a search that had come to its end there starts to double again."""
        was_highest = self._kept >= self._most
        self._most = most
        if self._kept > most or self.value > most:
            self._end_trial(kept=min(self._kept, most))
        elif was_highest and self._kept < most:
            self.value = self._kept = max(self._kept, min(SEED, most))
            self._factor = DOUBLE
            self._phase = "measure"
            self._window = _Window(self._clock())

    def succeeded(self, latency_s: float, *, saturated: bool) -> None:
        """Feed a call that was answered. `saturated`: as many calls were in flight as allowed."""
        window = self._window
        window.answered += 1
        window.saturated += saturated
        window.latency_s += latency_s
        self._count_call()
        if window.answered >= self._window_calls():
            self._end_window()

    def several_succeeded(self, calls: int, latency_s: float, *, saturated: int) -> None:
        """Feed `calls` that were answered in `latency_s` seconds in sum, of which so many were `saturated`.

        What comes in so is not torn: a window ends with all of it.
        """
        window = self._window
        window.answered += calls
        window.saturated += saturated
        window.latency_s += latency_s
        for _ in range(calls):
            self._count_call()
        if window.answered >= self._window_calls():
            self._end_window()

    def wants_more(self) -> None:
        """Do nothing: the search sees by itself that calls wait."""

    def close(self) -> None:
        """Do nothing: nobody else has what is left."""

    def _end_window(self) -> None:
        now = self._clock()
        if self._phase == "settle" or now - self._window.began_at >= self._shortest_window_s:
            self._close(now)

    def rejected(self, took_s: float = 0.0) -> None:
        """Feed a call that the API turned away for having too much to do, after `took_s` seconds.

        The limit is lowered once in a round trip: calls that were on their way when it was say nothing new.
        """
        now = self._clock()
        if now - took_s <= self._lowered_at:
            return
        self._rejections += 1
        self._count_call()
        if self._rejections < max(FEWEST_REJECTIONS, REJECTED_SHARE * max(self._calls, 2 * self.value)):
            return
        self._rejections = self._calls = 0
        self._lower(now)

    def timed_out(self) -> None:
        """Feed a call that was not answered in time."""
        self._timeouts += 1
        if self._timeouts > max(2, TIMEOUT_SHARE * self._window.answered):
            self._timeouts = 0
            self._lower(self._clock())

    def _lower(self, now: float) -> None:
        """Give a trial up, or take a step down; from far down it starts as slowly, and as fast, as at first."""
        self._lowered_at = now
        if self.value != self._kept:
            self._end_trial(kept=self._kept)
            return
        self._rest_s = FIRST_REST_S
        self._end_trial(kept=max(1, int(self.value * REJECTED_STEP)))
        if self._kept < SEED:
            self._factor = DOUBLE

    def _count_call(self) -> None:
        self._calls += 1
        if self._calls > max(SMALLEST_WINDOW, 4 * self.value):
            self._calls //= 2
            self._rejections //= 2

    def _window_calls(self) -> int:
        if self._phase == "settle":
            return self.value
        return max(SMALLEST_WINDOW, self.value * (2 if self._factor == DOUBLE else 4))

    def _close(self, now: float) -> None:
        window, self._window = self._window, _Window(now)
        self._timeouts = 0
        mean_s = window.latency_s / window.answered
        if self._phase == "settle":
            self._phase = "try"
        elif window.saturated * 2 < window.answered:
            # Too little to do, as between two pages: nothing can be learned, and nothing was.
            self.value = self._kept
            self._phase = "measure"
        elif self._phase == "try":
            self._judge(window.throughput(now), mean_s)
        else:
            self._lowest_s = min(self._lowest_s, mean_s)
            self._before = window.throughput(now)
            self._begin_trial(mean_s, now)

    def _begin_trial(self, mean_s: float, now: float) -> None:
        if self._phase == "rest" and now < self._rest_until:
            return
        self._phase = "rest"
        if self._factor != DOUBLE:
            queued = mean_s > self._lowest_s * QUEUE_SHOWS and mean_s > HARMLESS_S
            self._factor = LESS if queued and self._factor == MORE else MORE
        tried = min(self._most, max(self._kept + 1 if self._factor > 1 else 1, round(self._kept * self._factor)))
        if tried != self._kept:
            self.value = tried
            self._phase = "try" if self._factor == DOUBLE else "settle"
        elif self._factor == DOUBLE:
            self._factor = MORE

    def _judge(self, throughput: float, mean_s: float) -> None:
        gain = throughput / max(self._before, 1e-9)
        pays = {DOUBLE: DOUBLING_PAYS, MORE: MORE_PAYS, LESS: LESS_COSTS_NOTHING}[self._factor]
        harmless = self._factor > 1 and mean_s < HARMLESS_S
        if gain >= pays or harmless:
            self._kept = self.value
            self._rest_s = FIRST_REST_S
            self._before = throughput
            self._phase = "measure"
            if self._factor == DOUBLE:
                self._begin_trial(mean_s, self._clock())
        else:
            self._end_trial(kept=self._kept)

    def _end_trial(self, *, kept: int) -> None:
        self.value = self._kept = kept
        if self._factor == DOUBLE:
            self._factor = MORE
        self._phase = "rest"
        self._rest_until = self._clock() + self._rest_s
        self._rest_s = min(LONGEST_REST_S, self._rest_s * 2)
        self._window = _Window(self._clock())
