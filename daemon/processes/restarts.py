"""Keeps tasks going that keep children going: one that raises is logged and run again, never lost in silence."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from workflows.errors import BatchdError

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 10.0
STEADY_S = 30.0
"""What ran for this long starts again with the first backoff."""

logger = logging.getLogger(__name__)


class Backoff:
    """How long to wait before the next attempt: twice as long each time, until one of them ran steadily."""

    def __init__(self) -> None:
        self._next_s = FIRST_BACKOFF_S
        self._began = time.monotonic()

    def begin(self) -> None:
        """Note that an attempt begins."""
        self._began = time.monotonic()

    def after_failure(self) -> float:
        """Return the seconds to wait before the next attempt."""
        wait_s = FIRST_BACKOFF_S if time.monotonic() - self._began > STEADY_S else self._next_s
        self._next_s = min(MAX_BACKOFF_S, wait_s * 2)
        return wait_s


class Supervisor:
    """The tasks that watch over the children of one service."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def keep(self, name: str, keeping: Callable[[], Awaitable[None]]) -> None:
        """Run `keeping` until it returns, and again whenever it raises."""
        self._tasks.append(asyncio.create_task(_kept(name, keeping), name=name))

    async def stop(self) -> None:
        """Cancel the tasks and return once they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _kept(name: str, keeping: Callable[[], Awaitable[None]]) -> None:
    backoff = Backoff()
    while True:
        backoff.begin()
        try:
            await keeping()
            return
        except Exception as error:  # whatever it is, a child without its supervisor would never come back
            again_in_s = backoff.after_failure()
            fields = {"task": name, "error": str(error) or type(error).__name__, "again_in_s": again_in_s}
            foreseen = isinstance(error, BatchdError | OSError)
            logger.log(logging.ERROR, "supervisor.failed", exc_info=not foreseen, extra={"fields": fields})
        await asyncio.sleep(again_in_s)
