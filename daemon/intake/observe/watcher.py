"""Wakes the scan of an inbox when something happens in it. Hints only: whatever is missed here, the next scan finds.

One watcher serves all inboxes of a process: each of its kind wakes up fifty times a second, also where nothing happens.
It may die (of a name that is not UTF-8, say) or go silent about an inbox (one that was replaced). The first is noticed
and repaired here, the second by the scan, which asks for its folder to be followed anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from watchfiles import Change, awatch

GROUP_MS = 100
QUIET_MS = 20
GATHER_S = 0.02
"""Folders that come within this time are watched together: at a start there may be hundreds."""

FIRST_PAUSE_S = 0.5
IN_PLACE_S = (0.1, 0.5, 2.0)
"""Times after a start at which a scan checks again: the kernel's watch is set by a thread that does not say when."""

logger = logging.getLogger(__name__)


class Watcher:
    """Wakes who follows a folder when a file appears in it or is written to. Lives in one event loop."""

    def __init__(self, *, longest_pause_s: float) -> None:
        self._longest_pause_s = longest_pause_s
        self._folders: dict[asyncio.Event, str] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._warned = False

    def follow(self, folder: Path, wake: asyncio.Event) -> None:
        """Set `wake` at what happens in the folder that stands at this path now; called again, watch anew."""
        self._folders[wake] = str(folder)
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep_watching())
        loop = asyncio.get_running_loop()
        for seconds in IN_PLACE_S:
            loop.call_later(seconds, wake.set)

    def forget(self, wake: asyncio.Event) -> None:
        """Set `wake` no more; one that follows nothing is no error."""
        if self._folders.pop(wake, None):
            self._changed.set()

    async def stop(self) -> None:
        """Watch no more; a second call does nothing."""
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _keep_watching(self) -> None:
        clock = asyncio.get_running_loop().time
        pause_s = FIRST_PAUSE_S
        while True:
            await asyncio.sleep(GATHER_S)
            self._changed = asyncio.Event()  # the watch before may still look at its own
            begun_s = clock()
            try:
                await self._watch(self._changed)
            # watchfiles reports its own failures as a RuntimeError, and anyio wraps them into a group.
            except (OSError, RuntimeError, ExceptionGroup) as error:
                self._log(error)
            if self._changed.is_set():
                continue
            pause_s = FIRST_PAUSE_S if clock() - begun_s > self._longest_pause_s else pause_s * 2
            await asyncio.sleep(min(pause_s, self._longest_pause_s))
            self._wake_all()  # for whatever came while nobody watched

    async def _watch(self, changed: asyncio.Event) -> None:
        """Watch the folders that are there until others are to be followed; where none is, until one may be."""
        folders = [each for each in {*self._folders.values()} if os.access(each, os.R_OK | os.X_OK)]
        if not folders:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), self._longest_pause_s)
            return
        changes = awatch(
            *folders,
            watch_filter=_is_news,
            recursive=False,
            debounce=GROUP_MS,
            step=QUIET_MS,
            stop_event=changed,
        )
        async with contextlib.aclosing(changes):
            async for some in changes:
                touched = {os.path.dirname(path) for _, path in some}  # noqa: PTH120 - no object for each event
                for wake, folder in self._folders.items():
                    if folder in touched:
                        wake.set()

    def _wake_all(self) -> None:
        for wake in self._folders:
            wake.set()

    def _log(self, error: Exception) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        why = f"{cause}; files are found by rescans meanwhile, and the watcher is started again"
        logger.log(level, "watcher.failed", extra={"fields": {"why": why}})


def _is_news(change: Change, _path: str) -> bool:
    """A file that has gone needs nothing to be done; most of those are our own claims."""
    return change is not Change.deleted
