"""All pages of a worker share one bound on memory."""

from __future__ import annotations

import asyncio

import pytest

from activities.memory_budget import SMALL_PAGE_BYTES, MemoryBudget

MB = 1_048_576


class Pages:
    """Pages that hold their share until they are told to go."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, size_bytes: int) -> None:
        self.tasks[name] = asyncio.create_task(self._page(name, size_bytes))
        await asyncio.sleep(0)

    async def go(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.wait({self.tasks[name]})
        for _ in range(3):
            await asyncio.sleep(0)

    async def _page(self, name: str, size_bytes: int) -> None:
        async with self._budget.share(size_bytes):
            self.inside.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.inside.remove(name)


@pytest.fixture
def pages() -> Pages:
    return Pages(MemoryBudget(4 * MB))


async def test_a_page_waits_until_others_leave_it_room_and_they_come_in_their_order(pages: Pages) -> None:
    for name, size in (("a", 2), ("b", 2), ("c", 3), ("d", 1)):
        await pages.come(name, size * MB)
    assert pages.inside == ["a", "b"]
    await pages.go("a")
    assert pages.inside == ["b"], "d would fit, but c came first"
    await pages.go("b")
    assert pages.inside == ["c", "d"]


async def test_the_first_page_gets_in_however_large_it_is(pages: Pages) -> None:
    await pages.come("huge", 40 * MB)
    await pages.come("next", 1 * MB)
    assert pages.inside == ["huge"]
    await pages.go("huge")
    assert pages.inside == ["next"]


async def test_a_small_page_never_waits(pages: Pages) -> None:
    await pages.come("huge", 40 * MB)
    await pages.come("waits", 1 * MB)
    await pages.come("small", SMALL_PAGE_BYTES)
    assert pages.inside == ["huge", "small"]


async def test_a_page_that_gives_up_waiting_leaves_its_turn_to_the_next(pages: Pages) -> None:
    await pages.come("a", 3 * MB)
    await pages.come("b", 3 * MB)
    await pages.come("c", 1 * MB)
    assert pages.inside == ["a"]
    await pages.go("b")
    assert pages.inside == ["a", "c"]
    await pages.go("a")
    await pages.come("d", 3 * MB)
    assert pages.inside == ["c", "d"], "what was taken was given back"
