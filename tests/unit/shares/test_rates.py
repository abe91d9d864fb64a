"""Calls a second that several workers share: handed out by the parent, in turn, and never more than the rate."""

from __future__ import annotations

import asyncio
import time

import pytest
from intake_site import until
from worker_pipes import Pipes

from activities.api.limits.shares import RateLimit
from daemon.shares.service_limits import ServiceLimits
from daemon.shares.service_rates import ServiceRates
from daemon.shares.worker_limits import WorkerLimits


class Site:
    """The workers of one service, each of which counts the calls that it begins."""

    def __init__(self, workers: int, rate: float) -> None:
        self.pipes = [Pipes(f"worker-{number}") for number in range(workers)]
        ServiceLimits(self.pipes)  # type: ignore[arg-type]
        self.parent = ServiceRates(self.pipes)  # type: ignore[arg-type]
        self.begun = [0] * workers
        self.limits = [WorkerLimits(pipes.channel) for pipes in self.pipes]
        self.rates: list[RateLimit] = [limits.shares("geo").rate(rate, lambda: None) for limits in self.limits]

    def call(self, worker: int) -> bool:
        """Begin a call where one may."""
        if self.rates[worker].wait_s():
            return False
        self.rates[worker].take()
        self.begun[worker] += 1
        return True


async def test_the_first_call_of_a_worker_that_is_alone_may_go_at_once_however_low_the_rate() -> None:
    site = Site(3, 0.01)
    assert site.rates[1].wait_s() > 0
    assert site.call(1)


@pytest.mark.parametrize("rate", [5.0, 40.0, 400.0])
async def test_workers_that_all_call_get_the_rate_in_sum_and_each_its_turn(rate: float) -> None:
    site = Site(4, rate)
    began = time.monotonic()
    wanted = int(rate)

    def enough() -> bool:
        for worker in range(4):
            while site.call(worker):
                pass
        return sum(site.begun) >= wanted

    await until(enough, "a second's worth of calls")
    took_s = time.monotonic() - began
    assert sum(site.begun) <= rate * took_s + max(1.0, rate / 10) + 1
    assert min(site.begun) > 0


async def test_a_worker_that_has_its_turn_elsewhere_only_now_and_then_still_calls_at_a_low_rate() -> None:
    site = Site(8, 20.0)

    async def in_turn() -> None:
        while True:
            for worker in range(8):
                for _ in range(5):
                    site.call(worker)
                    await asyncio.sleep(0.005)

    turns = asyncio.create_task(in_turn())
    await until(lambda: min(site.begun) >= 2, "each calls again and again")
    turns.cancel()


async def test_calls_that_a_worker_does_not_begin_go_to_another() -> None:
    site = Site(2, 0.05)
    assert site.rates[0].wait_s() > 0
    site.rates[0].close()
    site.rates[1].wait_s()
    assert site.call(1)


async def test_another_rate_holds_from_the_next_call_on_and_the_least_where_workers_disagree() -> None:
    site = Site(2, 0.001)
    site.rates[0].wait_s()
    assert site.call(0)
    site.rates[1].wait_s()
    site.rates[0].change_rate(200.0)
    await asyncio.sleep(0.05)
    assert site.rates[1].wait_s() > 0
    site.rates[1].change_rate(200.0)
    await until(lambda: site.call(1), "the higher rate holds once both take it to be that")


async def test_a_rate_that_changes_while_nobody_calls_hands_out_nothing() -> None:
    site = Site(2, 20.0)
    site.rates[0].change_rate(40.0)
    site.rates[1].change_rate(40.0)
    await asyncio.sleep(0.1)
    assert site.rates[0].is_idle  # type: ignore[attr-defined]


async def test_who_has_ended_asks_no_more() -> None:
    site = Site(2, 20.0)
    for rate in site.rates:
        rate.wait_s()
    for ended in site.pipes[0].on_end:
        ended()
    site.call(1)
    await until(lambda: site.call(1), "the other goes on")
