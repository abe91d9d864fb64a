"""The limit of calls at once finds the knee of an API by itself: simulated, so that no machine's noise decides."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

import pytest

from activities.api.limits.adaptive_limit import AdaptiveLimit

Latency = Callable[[int, Random], float]


class Api:
    """A closed loop of calls against an API whose latency depends on how many are in flight."""

    def __init__(
        self,
        latency: Latency,
        *,
        most: int = 64,
        rejects_beyond: int = 0,
        error_share: float = 0.0,
        rejected_share: float = 0.0,
        client_s: float = 0.0,
    ) -> None:
        self.now = 0.0
        self.answered = 0
        self.limit = AdaptiveLimit(most, lambda: self.now)
        self._latency = latency
        self.rejects_beyond = rejects_beyond
        self._rejected_share = rejected_share
        self._error_share = error_share
        self._client_s = client_s
        self._client_busy_until = 0.0
        self._chance = Random(1)
        self._in_flight: list[tuple[float, bool, float, bool]] = []

    def run(self, seconds: float) -> list[int]:
        """Run for a while and return the limit at every half second."""
        seen: list[int] = []
        end = self.now + seconds
        while self.now < end:
            while len(self._in_flight) < self.limit.value:
                self._start()
            self._finish()
            seen += [self.limit.value] * (int(self.now * 2) - len(seen) - int((end - seconds) * 2))
        return seen

    def _start(self) -> None:
        number = len(self._in_flight) + 1
        rejected = bool(self.rejects_beyond) and number > self.rejects_beyond
        rejected = rejected or self._chance.random() < self._rejected_share
        took_s = 0.001 if rejected else self._latency(number, self._chance)
        if self._client_s:
            self._client_busy_until = max(self._client_busy_until, self.now) + self._client_s
            took_s += self._client_busy_until - self.now
        heapq.heappush(self._in_flight, (self.now + took_s, rejected, took_s, number >= self.limit.value))

    def _finish(self) -> None:
        self.now, rejected, took_s, saturated = heapq.heappop(self._in_flight)
        if rejected:
            self.limit.rejected(took_s)
        elif self._chance.random() >= self._error_share:
            self.answered += 1
            self.limit.succeeded(took_s, saturated=saturated)


def flat(seconds: float) -> Latency:
    return lambda _, __: seconds


def knee(at: int, seconds: float) -> Latency:
    return lambda number, chance: seconds * max(1, number / at) * chance.uniform(0.95, 1.05)


@pytest.mark.parametrize("api", [Api(flat(0.02)), Api(lambda _, chance: chance.uniform(0.2, 0.5))])
def test_an_api_that_keeps_up_gets_all_the_calls_it_may_get(api: Api) -> None:
    assert api.run(10)[-1] == 64


def test_it_starts_low() -> None:
    assert Api(flat(0.02)).limit.value == 8


@pytest.mark.parametrize(("at", "seconds"), [(32, 0.02), (32, 0.05), (24, 0.05), (40, 0.05)])
def test_it_settles_within_a_quarter_of_a_knee_in_the_latency(at: int, seconds: float) -> None:
    seen = Api(knee(at, seconds)).run(30)[6:]
    near = [value for value in seen if 0.75 * at <= value <= 1.25 * at]
    assert len(near) >= 0.95 * len(seen), seen


def test_it_settles_within_a_quarter_of_a_knee_that_rejects() -> None:
    seen = Api(flat(0.05), rejects_beyond=32).run(30)[2:]
    assert all(24 <= value <= 40 for value in seen), seen


def test_errors_and_slow_tails_cost_less_than_a_fifth_of_the_speed() -> None:
    def tailed(_: int, chance: Random) -> float:
        return 0.02 if chance.random() < 0.9 else 0.2

    api = Api(tailed, error_share=0.1)
    api.run(20)
    possible = 20 * 64 / (0.9 * 0.02 + 0.1 * 0.2) * 0.9
    assert api.answered > 0.8 * possible


def test_a_busy_client_is_not_taken_for_a_busy_api() -> None:
    api = Api(flat(0.02), client_s=0.00035)
    api.run(10)
    assert api.answered > 0.95 * 10 / 0.00035


def test_timeouts_lower_the_limit() -> None:
    api = Api(flat(0.02))
    api.run(5)
    for _ in range(10):
        api.limit.timed_out()
    assert api.limit.value < 64


def test_after_a_burst_of_rejections_it_comes_back() -> None:
    api = Api(flat(0.02))
    api.run(5)
    for _ in range(1_000):
        api.now += 0.01
        api.limit.rejected(0.001)
    assert api.limit.value == 1
    assert api.run(30)[-1] == 64


def test_a_few_rejections_by_chance_do_not_stifle_it() -> None:
    api = Api(flat(0.02), rejected_share=0.02)
    assert min(api.run(30)[10:]) >= 32


def test_it_follows_an_api_that_takes_fewer_calls_than_before() -> None:
    api = Api(flat(0.02), rejects_beyond=64)
    api.run(5)
    api.rejects_beyond = 8
    assert max(api.run(10)[10:]) <= 10


def test_after_an_outage_it_starts_low_again() -> None:
    api = Api(flat(0.02))
    api.run(5)
    api.limit.restart()
    assert api.limit.value == 8


def test_it_never_leaves_its_bounds() -> None:
    limit = AdaptiveLimit(1, lambda: 0.0)
    for _ in range(100):
        limit.rejected()
        limit.succeeded(0.1, saturated=True)
    assert limit.value == 1
