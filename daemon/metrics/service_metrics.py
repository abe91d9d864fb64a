"""What the metrics of a service are made of: its processes, its inboxes, its state folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version

from activities.registry.receipts import Receipts
from daemon.intake.inboxes import Inboxes
from daemon.metrics.measured import Measured, Measuring
from daemon.metrics.page import build, counted, page, remembered, watched
from daemon.metrics.totals import Totals
from daemon.processes.child import Child

RECEIPTS_SHARE = 100
"""Counting a million receipts takes a second: what took so long is not done again for this many times as long."""


class ServiceMetrics:
    """Adds up what the processes of one service count. Lives in one event loop; `feeds` are those there are now."""

    def __init__(self, receipts: Receipts, feeds: Callable[[], Iterable[str]]) -> None:
        self.totals = Totals()
        self._workers: list[Child] = []
        self._receipts = receipts
        self._feeds = feeds
        self._inboxes: Inboxes | None = None
        self._counting: Measuring | None = None
        self._known = 0
        self._known_until_s = float("-inf")

    def follow(self, workers: Iterable[Child]) -> None:
        """Add up what workers say that they have counted, however often they are started."""
        for worker in workers:
            self._workers.append(worker)
            worker.on(Measured, partial(self.totals.add, worker.name))
            worker.on_end.append(partial(self.totals.forget, worker.name))

    @property
    def workers_are_ready(self) -> bool:
        """Whether each worker that is followed is ready."""
        return all(worker.is_ready for worker in self._workers)

    def watch(self, inboxes: Inboxes) -> None:
        """Serve how these inboxes are, and what their work has counted."""
        self._inboxes = inboxes
        self._counting = Measuring(inboxes.tally)

    async def page(self) -> bytes:
        """Return all metrics as they are now, in the text format of Prometheus."""
        families = [build(version("batchd"))]
        if self._counting is not None:
            self.totals.add("", self._counting.take())
        families += [*counted(self.totals, self._feeds()), *self.totals.sdk.families()]
        if self._inboxes is not None:
            families += [*watched(self._inboxes.now()), remembered(await self._receipts_known())]
        return page(families)

    async def _receipts_known(self) -> int:
        begun_s = time.monotonic()
        if begun_s >= self._known_until_s:
            self._known = await asyncio.to_thread(self._receipts.count)
            self._known_until_s = begun_s + RECEIPTS_SHARE * (time.monotonic() - begun_s)
        return self._known
