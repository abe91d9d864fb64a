"""What the inboxes of one process share: its threads, what it counts, and how much they hash and start at once."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from activities.tally import Tally
from daemon.config.settings import Settings

MOST_THREADS = 1_024
"""Made as they are needed and used again; an inbox on a dead network mount holds on to a few."""

FEW_AT_ONCE = 8
PATIENCE_S = 1.0
"""Calls go a few at a time, so that hundreds of inboxes need few threads. One that has waited for so long goes anyway:
the others hang, on dead network mounts say."""

INBOXES_AT_ONCE = 4
"""As much is hashed at once as this many inboxes do alone, so that one whose disk hangs does not hold up the others."""

T = TypeVar("T")


class SharedWork:
    """Threads, limits and one tally for any number of intakes. Lives in one event loop; end it with `close`."""

    def __init__(self, settings: Settings) -> None:
        self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="intake")
        self._few = asyncio.Semaphore(FEW_AT_ONCE)
        self.hashing = asyncio.Semaphore(INBOXES_AT_ONCE * 2 * settings.hashes_in_flight)
        self.tally = Tally()
        self.starting = asyncio.Semaphore(settings.starts_in_flight)

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a blocking function in a thread; the log lines it writes name the same feed as the caller's."""
        run, loop = contextvars.copy_context().run, asyncio.get_running_loop()
        held = await self._may_go()
        try:
            return await loop.run_in_executor(self._pool, run, function, *arguments)
        finally:
            if held:
                self._few.release()

    async def _may_go(self) -> bool:
        """Wait until a call may go; return whether it is one of the few."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._few.acquire()
        except TimeoutError:
            return False

    async def close(self) -> None:
        """Wait for the threads that still run."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)
