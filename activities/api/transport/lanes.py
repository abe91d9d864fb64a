"""The connections of the general transport: lanes, each a pool of httpx2 that holds one connection.

httpx2 looks at every connection of a pool whenever a call begins or ends, with a system call for each idle one: with 32
of them that was more than the rest of the call. So a call gets a lane to itself. Over HTTP/2, where one connection
carries many calls, all share one lane.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from activities.api.transport import base


@dataclass(slots=True)
class Lane:
    """One pool of httpx2. `idle_since` is when its last call ended."""

    http: httpx2.AsyncHTTPTransport
    idle_since: float = 0.0


class Lanes:
    """Lanes whose connections were begun at about the same time. `calls` are under way on them."""

    def __init__(self, make: Callable[[], httpx2.AsyncHTTPTransport], *, shared: bool) -> None:
        self.retired_at = time.perf_counter() + base.connection_age_s()
        """From when on they carry no further call. For their owner to keep."""
        self.calls = 0
        self._make = make
        self._shared = Lane(make()) if shared else None
        self._answered = False
        self._idle: list[Lane] = []

    def can_begin_anew(self) -> bool:
        """Return whether a call can have a connection that no call was made on before its own and those beside it."""
        return self._shared is None or not self._answered

    def take(self, *, anew: bool) -> Lane:
        """Return a lane for a call, with `anew` one without a connection; it is given back."""
        self.calls += 1
        if self._shared is not None:
            return self._shared
        return self._idle.pop() if self._idle and not anew else Lane(self._make())

    def give_back(self, lane: Lane) -> list[Lane]:
        """Take back a lane whose call has ended, and return those that have been idle for too long; close them."""
        self.calls -= 1
        self._answered = True
        if lane is self._shared:
            return []
        lane.idle_since = time.perf_counter()
        self._idle.append(lane)  # the last to become idle is the last in the list
        oldest = lane.idle_since - base.KEEPALIVE_S
        closing = [each for each in self._idle if each.idle_since < oldest]
        self._idle = self._idle[len(closing) :]
        return closing

    async def aclose(self) -> None:
        """Close all connections but those of calls under way."""
        closing, self._idle = self._idle, []
        for lane in [*closing, *([self._shared] if self._shared else [])]:
            await lane.http.aclose()
