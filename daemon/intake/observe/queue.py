"""Settled files waiting to be hashed, oldest first, in two lanes so that a huge file never holds back a small one."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.intake.observe.entries import Dropped

LARGE_BYTES = 67_108_864
"""Files from this size on queue apart: hashing one takes longer than a small file should have to wait."""

FEW = 16
FEW_BYTES = 1_048_576
"""Small files are handed to a thread a few at a time: for each alone the handing over would cost more than the work."""


@dataclass(slots=True)
class _Lane:
    heap: list[tuple[tuple[float, int, bytes], int, Dropped]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Queue:
    """Works files in the background, `at_once` of each lane. Lives in one event loop.

    `take` does the work on a few files, one after another; none is begun while `may_begin` says no.
    """

    def __init__(
        self, at_once: int, take: Callable[[list[Dropped]], Awaitable[None]], may_begin: Callable[[], bool]
    ) -> None:
        self._at_once = at_once
        self._take = take
        self._may_begin = may_begin
        self._lanes = (_Lane(), _Lane())
        self._names: dict[bytes, float] = {}
        self._leftovers: set[Path] = set()
        self._number = 0

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names) + len(self._leftovers)

    @property
    def waiting_since_s(self) -> float | None:
        """When the file of these that was dropped first was first seen; None where there is none."""
        return min(self._names.values(), default=None)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is running now."""
        return self._lanes[0].tasks | self._lanes[1].tasks

    def add(self, dropped: Dropped) -> None:
        """Line up a file of the inbox that is not in line."""
        self._names[dropped.name] = dropped.first_seen_s
        self._push(dropped)

    def add_leftover(self, dropped: Dropped) -> None:
        """Line up a file of an interrupted claim; one that is in line already stays where it is."""
        if dropped.folder not in self._leftovers:
            self._leftovers.add(dropped.folder)
            self._push(dropped)

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

    def _push(self, dropped: Dropped) -> None:
        self._number += 1
        lane = self._lanes[dropped.fingerprint.size_bytes >= LARGE_BYTES]
        heapq.heappush(lane.heap, (dropped.age_order, self._number, dropped))

    async def _work(self, lane: _Lane) -> None:
        while lane.heap and self._may_begin():
            few = self._next_few(lane)
            try:
                await self._take(few)
            finally:
                for dropped in few:
                    self._forget(dropped)

    def _next_few(self, lane: _Lane) -> list[Dropped]:
        few: list[Dropped] = []
        size_bytes = 0
        while lane.heap and len(few) < FEW and size_bytes < FEW_BYTES:
            dropped = heapq.heappop(lane.heap)[-1]
            few.append(dropped)
            size_bytes += dropped.fingerprint.size_bytes
        return few

    def _forget(self, dropped: Dropped) -> None:
        if dropped.folder in self._leftovers:
            self._leftovers.discard(dropped.folder)
        else:
            self._names.pop(dropped.name, None)
