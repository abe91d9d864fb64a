"""The parts of several workers in one limit, as they ask for them and the parent grants them."""

from __future__ import annotations

import asyncio

import pytest
from intake_site import until
from worker_pipes import Pipes

from activities.api.limits.shares import SearchedLimit
from daemon.shares.service_limits import ServiceLimits
from daemon.shares.worker_limits import LOOK_S, LOOKS_TO_REVIEW, WorkerLimits


class Worker:
    """A worker that calls one API, as many at once as it may."""

    def __init__(self, pipes: Pipes) -> None:
        self.in_flight = 0
        self.shares = WorkerLimits(pipes.channel).shares("geo")

    def calls(self, most: int) -> SearchedLimit:
        return self.shares.calls(most, lambda: self.in_flight, lambda: None)


class Site:
    """The workers of one service."""

    def __init__(self, workers: int) -> None:
        self.pipes = [Pipes(f"worker-{number}") for number in range(workers)]
        self.limits = ServiceLimits(self.pipes)  # type: ignore[arg-type]
        self.workers = [Worker(pipes) for pipes in self.pipes]


async def test_a_worker_that_alone_has_calls_to_make_gets_all_and_leaves_them_when_it_has_none() -> None:
    site = Site(3)
    parts = [worker.calls(6) for worker in site.workers]
    parts[1].wants_more()
    assert [part.value for part in parts] == [0, 6, 0]
    await until(lambda: parts[1].value == 0, "what is not used goes back")


async def test_another_gets_its_part_once_calls_above_the_lower_grant_have_ended() -> None:
    site = Site(2)
    first, second = (worker.calls(6) for worker in site.workers)
    first.wants_more()
    site.workers[0].in_flight = 6
    second.wants_more()
    assert (first.value, second.value) == (3, 0)
    site.workers[0].in_flight = 3
    await until(lambda: second.value == 3, "the second is granted what the first has left")


async def test_who_waits_for_long_still_gets_its_part_once_it_is_free() -> None:
    site = Site(2)
    first = site.workers[0].calls(1)
    second = site.workers[1].shares.calls(1, lambda: 0, lambda: second.value or second.wants_more())
    first.wants_more()
    site.workers[0].in_flight = 1
    second.wants_more()
    await asyncio.sleep(4 * LOOKS_TO_REVIEW * LOOK_S)
    assert second.value == 0
    site.workers[0].in_flight = 0
    await until(lambda: second.value == 1, "the call of the other is over")


async def test_the_least_that_a_worker_takes_the_limit_to_be_holds_while_a_reload_reaches_them() -> None:
    site = Site(2)
    first, second = (worker.calls(6) for worker in site.workers)
    for part in (first, second):
        part.wants_more()
    await until(lambda: first.value + second.value == 6, "both have their part")
    first.change_most(2)
    await until(lambda: first.value + second.value == 2, "the lower limit holds")
    second.change_most(2)
    first.change_most(4)
    assert first.value + second.value == 2


async def test_what_a_worker_had_that_ended_goes_to_the_others() -> None:
    site = Site(2)
    first, second = (worker.calls(6) for worker in site.workers)
    first.wants_more()
    second.wants_more()
    for ended in site.pipes[0].on_end:
        ended()
    assert second.value == 6


async def test_rejections_of_one_worker_lower_the_limit_of_all() -> None:
    site = Site(2)
    first, second = (worker.calls(8) for worker in site.workers)
    for part in (first, second):
        part.wants_more()
    await until(lambda: first.value + second.value == 8, "both have their part")
    for _ in range(2):
        first.rejected(0.0)
    assert first.value + second.value == 6


async def test_a_grant_for_a_limit_that_was_given_up_is_not_taken_for_that_of_the_next() -> None:
    site = Site(2)
    batch = site.workers[0].shares.calls_of("b1", 5, lambda: 0, lambda: None)
    batch.wants_more()
    assert batch.value == 5
    batch.close()
    again = site.workers[0].shares.calls_of("b1", 3, lambda: 0, lambda: None)
    assert (batch.value, again.value) == (0, 0)
    again.wants_more()
    assert again.value == 3


async def test_an_api_that_comes_back_while_a_page_of_it_runs_shares_the_limit_with_that_page() -> None:
    site = Site(2)
    old, other = (worker.calls(8) for worker in site.workers)
    old.wants_more()
    other.wants_more()
    site.workers[0].in_flight = old.value
    shares = site.workers[0].shares
    new = shares.calls(8, lambda: 0, lambda: None)
    new.wants_more()
    await until(lambda: new.value > 0, "the new use has a part beside the old one")
    assert old.value + new.value + other.value <= 8
    site.workers[0].in_flight = 0
    old.close()
    other.wants_more()
    new.wants_more()
    await until(lambda: new.value == other.value == 4, "what the old use had goes to both")


@pytest.mark.parametrize("most", [1, 2])
async def test_of_fewer_calls_than_workers_each_gets_some_in_its_turn(most: int) -> None:
    site = Site(3)
    parts = [worker.calls(most) for worker in site.workers]
    served: set[int] = set()
    turns = asyncio.create_task(site.limits.take_turns())

    def all_served() -> bool:
        for number, part in enumerate(parts):
            part.wants_more()
            if part.value:
                served.add(number)
        assert sum(part.value for part in parts) <= most
        return served == {0, 1, 2}

    await until(all_served, "each had a turn")
    turns.cancel()
