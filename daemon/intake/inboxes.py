"""The inboxes of all feeds, worked in one process: each by a loop of its own, with one watcher and one set of threads.

Feeds may come, change and go while it runs. What waits in the folder of one that went stays there; what is claimed in
it is looked after until it has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from activities.tally import Tally
from daemon.config.settings import Settings
from daemon.intake.dispatch import Starter
from daemon.intake.inbox_now import InboxNow
from daemon.intake.leader import Leadership
from daemon.intake.loop import InboxLoop
from daemon.intake.observe.watcher import Watcher
from daemon.intake.shared_work import SharedWork
from daemon.intake.sign_of_life import BEAT_S

logger = logging.getLogger(__name__)

StarterOf = Callable[[Settings, asyncio.Semaphore], Starter]
"""Makes the starter of one feed; its starts wait for the semaphore, which is for all feeds."""


class Inboxes:
    """Works the inboxes of a service. Lives in one event loop."""

    def __init__(self, service: Settings, starter_of: StarterOf) -> None:
        self._starter_of = starter_of
        self._shared = SharedWork(service)
        self._watcher = Watcher(longest_pause_s=service.rescan_s)
        self._loops: dict[str, InboxLoop] = {}
        self._of_gone_feeds: set[InboxLoop] = set()
        self._leaderships: dict[Path, Leadership] = {}
        self._tasks: dict[InboxLoop, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()
        self._crash: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(
        self, feeds: Mapping[str, Settings], stop: asyncio.Event, *, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        """Work the inboxes of `feeds`, and of what `apply` gives later, until `stop` is set.

        `on_ready` is called once: each inbox has been scanned, or is stood by. What is under way at the stop is
        finished by the next daemon, or by the one that stands by.
        """
        beating = asyncio.create_task(self._beat())
        try:
            await self.apply(feeds)
            if await self._are_ready(stop):
                on_ready()
                await self._first_of(stop.wait())
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._close()
        if self._crash.done():
            await self._crash

    async def apply(self, feeds: Mapping[str, Settings]) -> None:
        """Work the inboxes of these feeds from now on, and no others. A feed whose settings changed begins anew."""
        async with self._changing:
            changed = [name for name, loop in self._loops.items() if feeds.get(name) != loop.settings]
            ended = [self._loops.pop(name) for name in changed]
            await asyncio.gather(*(self._end(loop) for loop in ended))
            inboxes = {settings.inbox.absolute() for settings in feeds.values()}
            back = [loop for loop in self._of_gone_feeds if loop.inbox in inboxes]
            await asyncio.gather(*(self._end(loop) for loop in back))
            for loop in ended:
                if loop.inbox not in inboxes:
                    self._of_gone_feeds.add(self._begin(loop.settings, takes_files=False))
            for name in feeds.keys() - self._loops.keys():
                self._loops[name] = self._begin(feeds[name])

    @property
    def tally(self) -> Tally:
        """What is counted here: starts, and ends of batches that have not ended by themselves."""
        return self._shared.tally

    @property
    def stand_still(self) -> bool:
        """Whether the scans of all inboxes hang. While one of them moves, the others are left to hang."""
        return bool(self._loops) and all(loop.stands_still for loop in self._loops.values())

    def now(self) -> list[InboxNow]:
        """Return how each inbox is that this process works. Those of a feed may be more than one after a change."""
        return [found for loop in self._tasks if (found := loop.now()) is not None]

    def _begin(self, settings: Settings, *, takes_files: bool = True) -> InboxLoop:
        starter, inbox = self._starter_of(settings, self._shared.starting), settings.inbox.absolute()
        leadership = self._leaderships.setdefault(inbox, Leadership(inbox))
        loop = InboxLoop(settings, starter, leadership, self._watcher, self._shared, takes_files=takes_files)
        self._tasks[loop] = asyncio.create_task(self._kept(loop))
        return loop

    async def _kept(self, loop: InboxLoop) -> None:
        try:
            await loop.run()
        except Exception as error:  # noqa: BLE001 - nobody foresaw it: the service ends with it
            if not self._crash.done():
                self._crash.set_exception(error)
        finally:
            self._tasks.pop(loop, None)
            self._of_gone_feeds.discard(loop)
            if all(each.inbox != loop.inbox for each in self._tasks):
                self._leaderships.pop(loop.inbox).release()

    async def _end(self, loop: InboxLoop) -> None:
        """End a loop at once: a scan that hangs, on a dead network mount say, must not hold up the others."""
        task = self._tasks.get(loop)
        if task:
            task.cancel()
            await asyncio.wait({task})

    async def _are_ready(self, stop: asyncio.Event) -> bool:
        """Return whether all inboxes have been scanned or are stood by; False where the service is stopped before."""
        for loop in list(self._loops.values()):
            await self._first_of(loop.ready.wait(), stop.wait())
        return not stop.is_set() and not self._crash.done()

    async def _first_of(self, *waits: Coroutine[None, None, bool]) -> None:
        """Wait for the first of these, or for the end of a loop that should have gone on."""
        tasks = [asyncio.ensure_future(each) for each in waits]
        try:
            waited: set[asyncio.Future[Any]] = {*tasks, self._crash}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """Give signs of life for all inboxes that are worked, from one thread."""
        while True:
            moving = [loop for loop in self._loops.values() if loop.moves]
            await self._shared.in_thread(_beat_all, moving)
            await asyncio.sleep(BEAT_S)

    async def _close(self) -> None:
        loops = list(self._tasks.items())
        for loop, _ in loops:
            loop.stop()
        if loops:
            await asyncio.wait({task for _, task in loops})
        await self._watcher.stop()
        await self._shared.close()


def _beat_all(loops: list[InboxLoop]) -> None:
    for loop in loops:
        loop.beat()
