"""Whose turn it is at the gate, and how many calls it lets begin."""

from __future__ import annotations

import asyncio

import pytest

from activities.api.limits.batch_turn import Caps
from activities.api.limits.call_scheduler import CallScheduler


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Page:
    """A caller with `calls` to make; what it begins is written to `order`."""

    def __init__(self, name: str, order: list[str], *, calls: int, sequence: int = 0) -> None:
        self.name = name
        self.sequence = sequence
        self.calls = calls
        self._order = order

    def begin_call(self, *, saturated: bool) -> bool:
        if not self.calls:
            return False
        self.calls -= 1
        self._order.append(self.name)
        return True


@pytest.fixture
def order() -> list[str]:
    return []


def gate(most: int, rate: float = 0.0, clock: Clock | None = None) -> CallScheduler:
    made = CallScheduler(most, rate, clock or Clock())
    made.limit.value = most
    return made


def test_as_many_calls_begin_as_there_is_room_for_and_each_that_ends_lets_one_begin(order: list[str]) -> None:
    door = gate(2)
    door.come("users")
    door.queue_up("users", Page("a", order, calls=5))
    assert order == ["a"] * 2
    door.leave("users")
    assert order == ["a"] * 3
    assert door.in_flight == 2


def test_batches_take_turns_and_within_a_batch_the_older_page_goes_first(order: list[str]) -> None:
    door = gate(1)
    for name in ("huge", "tiny"):
        door.come(name)
    door.queue_up("huge", Page("huge 2", order, calls=9, sequence=2))
    door.queue_up("huge", Page("huge 1", order, calls=9, sequence=1))
    door.queue_up("tiny", Page("tiny", order, calls=2, sequence=3))
    for batch in ("huge", "huge", "tiny", "huge", "tiny"):
        door.leave(batch)
    assert order == ["huge 2", "huge 1", "tiny", "huge 1", "tiny", "huge 1"]


def test_feeds_take_turns_so_that_one_with_many_batches_takes_no_more_than_one_with_a_single_one(
    order: list[str],
) -> None:
    door = gate(1)
    for name in ("a", "b", "c"):
        door.come(name, feed="many")
    door.come("d", feed="one")
    for sequence, name in enumerate("abcd"):
        door.queue_up(name, Page(name, order, calls=9, sequence=sequence))
    for _ in range(7):
        door.leave(order[-1])
    assert order == ["a", "a", "d", "b", "d", "c", "d", "a"]


def test_a_feed_whose_first_batch_may_not_call_lets_its_next_one(order: list[str]) -> None:
    door = gate(9)
    door.come("capped", Caps(concurrency=1), "contacts")
    door.come("free", feed="contacts")
    door.queue_up("capped", Page("capped", order, calls=5))
    door.queue_up("free", Page("free", order, calls=3))
    assert order == ["capped", "free", "free", "free"]


def test_who_has_nothing_to_call_is_out_of_the_queue_and_may_come_back(order: list[str]) -> None:
    door = gate(4)
    door.come("users")
    page = Page("a", order, calls=1)
    door.queue_up("users", page)
    page.calls = 1
    door.leave("users")
    assert order == ["a"], "it was out of the queue when its call ended"
    door.queue_up("users", page)
    assert order == ["a", "a"]


def test_what_a_batch_may_do_at_most_holds_as_long_as_one_of_its_pages_is_here(order: list[str]) -> None:
    door = gate(8)
    for _ in range(2):
        door.come("users", Caps(concurrency=1))
    door.queue_up("users", Page("a", order, calls=5))
    door.leave("users")
    door.leave("users")
    door.go("users")  # the other page is done, while this one makes no call
    assert len(order) == 3
    door.queue_up("users", Page("b", order, calls=5, sequence=1))
    assert len(order) == 3, "one call at once, still"


async def test_a_held_gate_opens_by_itself(order: list[str]) -> None:
    clock = Clock()
    door = gate(8, clock=clock)
    door.come("users")
    door.hold(0.01)
    door.queue_up("users", Page("a", order, calls=1))
    assert order == []
    clock.now += 1
    async with asyncio.timeout(5):
        while not order:
            await asyncio.sleep(0.01)
    door.close()


async def test_a_rate_below_one_a_second_lets_one_call_through_at_a_time(order: list[str]) -> None:
    clock = Clock()
    door = gate(8, rate=0.5, clock=clock)
    door.come("users")
    door.queue_up("users", Page("a", order, calls=3))
    assert order == ["a"]
    door.leave("users")
    assert order == ["a"]
    clock.now += 2
    door.queue_up("users", Page("b", order, calls=0))
    assert order == ["a", "a"]
    door.close()
