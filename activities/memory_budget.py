"""How much of all pages a worker holds in memory at once: the pages share it, and one that finds none waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WORKER_BYTES = 67_108_864
"""Rows held by one worker process, as bytes of their files. A page has at most half of it; see `MAX_PAGE_BYTES`."""

SMALL_PAGE_BYTES = 262_144
"""Pages up to this never wait, so that no large file keeps a small one waiting; the worker's slots bound them."""


class MemoryBudget:
    """Bytes that pages may hold together. Who comes first is let in first; the first is, whatever its size."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def share(self, size_bytes: int) -> AsyncIterator[None]:
        """Hold `size_bytes` while the block runs, waiting until others leave room for them."""
        if size_bytes <= SMALL_PAGE_BYTES:
            yield
            return
        await self._take(size_bytes)
        try:
            yield
        finally:
            self._give_back(size_bytes)

    async def _take(self, size_bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size_bytes)
            else:
                self._waiting.remove((size_bytes, turn))
                self._let_in()
            raise

    def _give_back(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            size_bytes, turn = self._waiting[0]
            if self._held_bytes and self._held_bytes + size_bytes > self._most_bytes:
                return
            self._waiting.popleft()
            self._held_bytes += size_bytes
            turn.set_result(None)
