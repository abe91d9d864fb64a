"""In a worker: its part in the limits of its APIs and of the batches that call them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from activities.api.limits.shares import CallLimit, RateLimit, SearchedLimit
from daemon.processes.messages import Channel, Message
from daemon.shares.granted_limit import GrantedLimit, GrantedSearch
from daemon.shares.granted_rate import GrantedRate
from daemon.shares.messages import Granted, MayCall

LOOK_S = 0.01
"""How often it is looked whether a lowered grant holds by now; so much later the calls go to another process."""

LOOKS_TO_REVIEW = 50
"""So many looks later a process that needs less says so."""

L = TypeVar("L", GrantedLimit, GrantedSearch, GrantedRate)


class WorkerLimits:
    """All limits of this process in which it has a part. Use it in one event loop."""

    def __init__(self, channel: Channel) -> None:
        self.send: Callable[[Message], None] = channel.send
        self._limits: dict[int, GrantedLimit | GrantedRate] = {}
        self._uses = count(1)
        self._looks = 0
        self._timer: asyncio.TimerHandle | None = None
        channel.on(Granted, self._granted)
        channel.on(MayCall, self._handed_out)

    def shares(self, api: str) -> WorkerShares:
        """Return the part in the limits of an API, and of the batches that call it."""
        return WorkerShares(self, api)

    def add(self, limit: L) -> L:
        """Look after a limit until it is closed; return it."""
        self._limits[limit.use] = limit
        return limit

    def next_use(self) -> int:
        """Return a number that no use of a limit had before."""
        return next(self._uses)

    def wake(self) -> None:
        """Look at the limits from now on, until all are idle."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _granted(self, message: Granted) -> None:
        limit = self._limits.get(message.use)
        if isinstance(limit, GrantedLimit):
            limit.granted(message)

    def _handed_out(self, message: MayCall) -> None:
        limit = self._limits.get(message.use)
        if isinstance(limit, GrantedRate):
            limit.handed_out(message)

    def _look(self) -> None:
        self._timer = None
        self._looks += 1
        for limit in list(self._limits.values()):
            if limit.is_closed:
                del self._limits[limit.use]
                continue
            if isinstance(limit, GrantedLimit):
                limit.note_use()
            if self._looks % LOOKS_TO_REVIEW == 0:
                limit.review()
        if not all(limit.is_idle for limit in self._limits.values()):
            self.wake()


class WorkerShares:
    """The part in the limits of one API, and of the batches that call it."""

    def __init__(self, limits: WorkerLimits, api: str) -> None:
        self._limits = limits
        self._api = api

    def calls(self, most: int, in_flight: Callable[[], int], on_more: Callable[[], None]) -> SearchedLimit:
        """Return the limit of calls in flight of the API."""
        return self._limits.add(GrantedSearch(self._limits, f"calls of {self._api}", most, in_flight, on_more))

    def rate(self, rate: float, on_more: Callable[[], None]) -> RateLimit:
        """Return the limit of calls a second of the API."""
        return self._granted_rate(f"rate of {self._api}", rate, on_more)

    def calls_of(self, batch: str, most: int, in_flight: Callable[[], int], on_more: Callable[[], None]) -> CallLimit:
        """Return the limit of calls in flight of one batch."""
        name = f"calls of {self._api} for {batch}"
        return self._limits.add(GrantedLimit(self._limits, name, most, in_flight, on_more))

    def rate_of(self, batch: str, rate: float, on_more: Callable[[], None]) -> RateLimit:
        """Return the limit of calls a second of one batch."""
        return self._granted_rate(f"rate of {self._api} for {batch}", rate, on_more)

    def _granted_rate(self, name: str, rate: float, on_more: Callable[[], None]) -> RateLimit:
        return self._limits.add(GrantedRate(self._limits, name, rate, on_more))
