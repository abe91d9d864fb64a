"""Wakes the scan when something happens in the inbox. Hints only: whatever is missed here, the next scan finds.

The watcher may die (of a name that is not UTF-8, say) or go silent (an inbox that was replaced). The first is noticed
and repaired here, the second by the scan, which asks for a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from watchfiles import Change, awatch

GROUP_MS = 100
QUIET_MS = 20
FIRST_PAUSE_S = 0.5
IN_PLACE_S = (0.1, 0.5, 2.0)
"""Times after a start at which a scan checks again: the kernel's watch is set by a thread that does not say when."""

logger = logging.getLogger(__name__)


class Watcher:
    """Sets `wake` when a file appears in `folder` or is written to. Lives in one event loop."""

    def __init__(self, folder: Path, wake: asyncio.Event, *, longest_pause_s: float) -> None:
        self._folder = folder
        self._wake = wake
        self._longest_pause_s = longest_pause_s
        self._task: asyncio.Task[None] | None = None
        self._wake_ups: list[asyncio.TimerHandle] = []
        self._warned = False

    async def start(self) -> None:
        """Watch the folder that stands there now; called again, watch anew."""
        await self.stop()
        self._task = asyncio.create_task(self._keep_watching())
        loop = asyncio.get_running_loop()
        self._wake_ups = [loop.call_later(seconds, self._wake.set) for seconds in IN_PLACE_S]

    async def stop(self) -> None:
        """Watch no more; a second call does nothing."""
        for wake_up in self._wake_ups:
            wake_up.cancel()
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _keep_watching(self) -> None:
        clock = asyncio.get_running_loop().time
        pause_s = FIRST_PAUSE_S
        while True:
            begun_s = clock()
            try:
                await self._watch()
            # watchfiles reports its own failures as a RuntimeError, and anyio wraps them into a group.
            except (OSError, RuntimeError, ExceptionGroup) as error:
                self._log(error)
            pause_s = FIRST_PAUSE_S if clock() - begun_s > self._longest_pause_s else pause_s * 2
            await asyncio.sleep(min(pause_s, self._longest_pause_s))
            self._wake.set()  # for whatever came while nobody watched

    async def _watch(self) -> None:
        changes = awatch(
            self._folder,
            watch_filter=_is_news,
            recursive=False,
            debounce=GROUP_MS,
            step=QUIET_MS,
        )
        async with contextlib.aclosing(changes):
            async for _ in changes:
                self._wake.set()

    def _log(self, error: Exception) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        why = f"{cause}; files are found by rescans meanwhile, and the watcher is started again"
        logger.log(level, "watcher.failed", extra={"fields": {"why": why}})


def _is_news(change: Change, _path: str) -> bool:
    """A file that has gone needs nothing to be done; most of those are our own claims."""
    return change is not Change.deleted
