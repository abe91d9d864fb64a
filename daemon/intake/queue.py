"""Settled files waiting to be hashed, oldest first, in two lanes so that a huge file never holds back a small one."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from daemon.intake.entries import Dropped

LARGE_BYTES = 67_108_864
"""Files from this size on queue apart: hashing one takes longer than a small file should have to wait."""


@dataclass(slots=True)
class _Lane:
    heap: list[tuple[tuple[float, int, bytes], int, Dropped]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Queue:
    """Works files in the background, `at_once` of each lane. Lives in one event loop.

    `take` does the work on one file; no further one is begun while `may_begin` says no.
    """

    def __init__(self, at_once: int, take: Callable[[Dropped], Awaitable[None]], may_begin: Callable[[], bool]) -> None:
        self._at_once = at_once
        self._take = take
        self._may_begin = may_begin
        self._lanes = (_Lane(), _Lane())
        self._names: set[bytes] = set()
        self._paths: set[str] = set()
        self._number = 0

    def __contains__(self, name: bytes) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is running now."""
        return self._lanes[0].tasks | self._lanes[1].tasks

    def add(self, dropped: Dropped, *, inbox: bool = True) -> None:
        """Line up a file; one that is in line already stays where it is. `inbox`: its name stands for it there."""
        path = str(dropped.path)
        if path in self._paths:
            return
        self._paths.add(path)
        if inbox:
            self._names.add(dropped.name)
        self._number += 1
        lane = self._lanes[dropped.fingerprint.size_bytes >= LARGE_BYTES]
        heapq.heappush(lane.heap, (dropped.age_order, self._number, dropped))

    def run(self) -> None:
        """Begin as much as may be."""
        for lane in self._lanes:
            for _ in range(min(self._at_once - len(lane.tasks), len(lane.heap))):
                task = asyncio.create_task(self._work(lane))
                lane.tasks.add(task)
                task.add_done_callback(lane.tasks.discard)

    def clear(self) -> None:
        """Forget what has not begun."""
        for lane in self._lanes:
            for _, _, dropped in lane.heap:
                self._forget(dropped)
            lane.heap.clear()

    async def _work(self, lane: _Lane) -> None:
        while lane.heap and self._may_begin():
            _, _, dropped = heapq.heappop(lane.heap)
            try:
                await self._take(dropped)
            finally:
                self._forget(dropped)

    def _forget(self, dropped: Dropped) -> None:
        self._paths.discard(str(dropped.path))
        self._names.discard(dropped.name)
