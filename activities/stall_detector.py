"""Notices when this process was suspended: stopped, swapped out or asleep, it may have lost its pages to another one.

The server gives a page to another worker when heartbeats fail to come. The old one, once it goes on, knows nothing of
that before its next heartbeat is answered, and would call the API for rows that are being called already.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

TICK_S = 0.1
SHORTEST_GAP_S = 0.3
REMEMBERED_GAPS = 16


def _now_s() -> float:
    """Return seconds that go on while the machine is suspended, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class StallDetector:
    """Notes every moment this process lives, and so the gaps between them. An async context manager that ticks."""

    def __init__(self, clock: Callable[[], float] = _now_s) -> None:
        self.clock = clock
        self._ticked_at = clock()
        self._gaps: deque[tuple[float, float]] = deque(maxlen=REMEMBERED_GAPS)
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._ticking = asyncio.create_task(self._tick_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking

    def tick(self) -> None:
        """Note that the process lives."""
        now = self.clock()
        if now - self._ticked_at > SHORTEST_GAP_S:
            self._gaps.append((now, now - self._ticked_at))
        self._ticked_at = now

    def stalled_since(self, moment: float, longer_than_s: float) -> bool:
        """True if this process was suspended for longer than `longer_than_s` seconds and woke up after `moment`."""
        if self.clock() - self._ticked_at > longer_than_s:
            return True
        return bool(self._gaps) and any(woke_at >= moment and gap_s > longer_than_s for woke_at, gap_s in self._gaps)

    async def _tick_on(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)
