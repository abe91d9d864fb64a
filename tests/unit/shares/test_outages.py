"""What one process finds out about an API the others hear, and one of them asks whether it is back."""

from __future__ import annotations

import asyncio

from worker_pipes import Pipes

from activities.api.options import LONGEST_HELD_S
from daemon.shares.service_outages import ServiceOutages
from daemon.shares.worker_outages import OtherWorkers, WorkerOutages


class Client:
    """What a client of the API heard."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def told_down(self, detail: str, wait_s: float) -> None:
        self.heard.append((detail, wait_s))

    def told_up(self) -> None:
        self.heard.append("up")

    def told_to_hold(self, seconds: float) -> None:
        self.heard.append(("hold", seconds))

    def told_to_release(self) -> None:
        self.heard.append("release")


class Site:
    """Three workers of one service that call the same API; `now` is the time of the parent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pipes = [Pipes(f"worker-{number}") for number in range(3)]
        ServiceOutages(self.pipes, lambda: self.now)  # type: ignore[arg-type]
        self.clients = [Client() for _ in self.pipes]
        self.others: list[OtherWorkers] = []
        for pipes, client in zip(self.pipes, self.clients, strict=True):
            others = WorkerOutages(pipes.channel).others("geo")
            others.join(client, client)
            self.others.append(others)


def test_the_others_hear_that_an_api_is_down_and_up_and_who_said_so_does_not() -> None:
    site = Site()
    site.others[0].down("answers 503", 4.0)
    site.others[0].up()
    assert [client.heard for client in site.clients] == [[], [("answers 503", 4.0), "up"], [("answers 503", 4.0), "up"]]


def test_a_worker_that_comes_later_hears_that_an_api_is_down_and_when_it_is_to_be_asked() -> None:
    site = Site()
    site.others[0].down("answers 503", 4.0)
    site.now = 3.0
    late = Client()
    site.others[2].join(late, late)
    assert late.heard == [("answers 503", 1.0)]


async def test_one_process_at_a_time_asks_and_nobody_before_it_is_time() -> None:
    site = Site()
    site.others[0].down("answers 503", 4.0)
    assert not await site.others[1].may_probe()
    site.now = 4.0
    assert await site.others[1].may_probe()
    assert not await site.others[2].may_probe()
    site.others[1].down("answers 503", 8.0)
    assert not await site.others[2].may_probe()
    site.now = 12.0
    assert await site.others[2].may_probe()


async def test_the_right_to_ask_comes_back_from_who_gives_it_up_and_from_who_has_ended() -> None:
    site = Site()
    site.others[0].down("answers 503", 0.0)
    assert await site.others[0].may_probe()
    site.others[0].probe_given_up()
    assert await site.others[1].may_probe()
    for ended in site.pipes[1].on_end:
        ended()
    assert await site.others[2].may_probe()


async def test_what_others_ask_is_not_given_back_by_who_may_not() -> None:
    site = Site()
    site.others[0].down("answers 503", 0.0)
    assert await site.others[0].may_probe()
    site.others[1].probe_given_up()
    assert not await site.others[2].may_probe()


def test_a_rest_is_said_for_no_longer_than_it_takes_to_find_out_that_it_is_an_outage() -> None:
    site = Site()
    site.others[0].hold(3_600.0)
    assert site.clients[1].heard == [("hold", LONGEST_HELD_S)]


async def test_a_rest_that_an_api_asked_for_is_one_for_all_and_is_said_once_and_over_for_all() -> None:
    site = Site()
    site.others[0].hold(2.0)
    site.others[0].hold(2.0)
    await asyncio.sleep(0)
    site.others[1].release()
    assert site.clients[1].heard == [("hold", 2.0)]
    assert site.clients[0].heard == ["release"]
    assert site.clients[2].heard == [("hold", 2.0), "release"]
