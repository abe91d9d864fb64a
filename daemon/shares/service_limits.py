"""In the parent: grants the workers their shares of each limit, and searches for how much of it an API takes well."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count

from activities.api.limits.adaptive_limit import AdaptiveLimit
from daemon.processes.child import Child
from daemon.shares.messages import Demand, Granted, Replies, Restart, Within
from daemon.shares.shared_limit import Grant, SharedLimit

TURN_S = 0.25
"""How often another process has the turn where a limit cannot be split evenly."""

SHORTEST_WINDOW_S = 0.25
"""Of the search: what processes say of their calls comes in small lots, and does so at different moments."""


class ServiceLimits:
    """The limits that the processes of `children` share. A limit is known from the first demand for it on."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._starts = count()
        self._start = {child.name: next(self._starts) for child in children}
        """The number of the present start of each child."""
        self._child = {self._start[child.name]: child for child in children}
        self._limits: dict[str, _Limit] = {}
        for child in children:
            child.on(Demand, partial(self._demand, child.name))
            child.on(Within, partial(self._within, child.name))
            child.on(Replies, self._replies)
            child.on(Restart, self._restart)
            child.on_end.append(partial(self._ended, child))

    async def take_turns(self) -> None:
        """Let processes take turns, until cancelled."""
        while True:
            await asyncio.sleep(TURN_S)
            for name, limit in self._limits.items():
                self._send(name, limit.shared.next_turn())

    def _demand(self, child: str, message: Demand) -> None:
        limit = self._limits.get(message.limit)
        if limit is None:
            limit = self._limits[message.limit] = _Limit(message.most, searched=message.searched)
        self._send(message.limit, limit.demand(self._start[child], message))
        self._forget(message.limit)

    def _within(self, child: str, message: Within) -> None:
        if limit := self._limits.get(message.limit):
            self._send(message.limit, limit.confirm(self._start[child], message.number))
            self._forget(message.limit)

    def _replies(self, message: Replies) -> None:
        if limit := self._limits.get(message.limit):
            self._send(message.limit, limit.learn(message))

    def _restart(self, message: Restart) -> None:
        if limit := self._limits.get(message.limit):
            self._send(message.limit, limit.restart())

    def _ended(self, child: Child) -> None:
        ended = self._start[child.name]
        del self._child[ended]
        self._start[child.name] = start = next(self._starts)
        self._child[start] = child
        for name, limit in list(self._limits.items()):
            self._send(name, limit.end(ended))
            self._forget(name)

    def _send(self, name: str, grants: Iterable[Grant]) -> None:
        for grant in grants:
            granted = Granted(
                limit=name, use=self._limits[name].use[grant.start], number=grant.number, calls=grant.calls
            )
            self._child[grant.start].send(granted)

    def _forget(self, name: str) -> None:
        """Drop a limit that nobody uses; what was found out about an API is kept while a worker knows the API."""
        limit = self._limits[name]
        if limit.shared.is_idle and not (limit.search and limit.most):
            del self._limits[name]


class _Limit:
    """One limit: what each start takes it to be at most, and what the search says where there is one."""

    def __init__(self, most: int, *, searched: bool) -> None:
        self.search = AdaptiveLimit(most, time.monotonic, shortest_window_s=SHORTEST_WINDOW_S) if searched else None
        self.shared = SharedLimit(most)
        self.most: dict[int, int] = {}
        self.use: dict[int, int] = {}
        self._held_since = 0.0
        """Since when the last lower grants hold in all processes; infinite where they do not yet."""

    def demand(self, start: int, demand: Demand) -> list[Grant]:
        """Take note of what a start wants, or that it uses the limit no more."""
        if not demand.most:
            return self.end(start)
        if start not in self.most:
            self.shared.begin(start)
        self.use[start] = demand.use
        changed = self.most.get(start) != demand.most
        self.most[start] = demand.most
        return [*(self._changed() if changed else ()), *self.shared.demand(start, demand.wanted)]

    def end(self, start: int) -> list[Grant]:
        """Forget a start that has ended, or uses the limit no more."""
        if self.most.pop(start, None) is None:
            return []
        grants = self.shared.end(start)
        return [*grants, *self._changed()] if self.most else grants

    def confirm(self, start: int, number: int) -> list[Grant]:
        """Take note that a start is within a grant."""
        grants = self.shared.confirm(start, number)
        self._note_whether_it_holds()
        return grants

    def learn(self, replies: Replies) -> list[Grant]:
        """Feed the search."""
        if self.search is None:
            return []
        for took_s in replies.rejected:
            if time.monotonic() - took_s > self._held_since:  # made when the lower limit held
                self.search.rejected(took_s)
        for _ in range(replies.timed_out):
            self.search.timed_out()
        if replies.answered:
            self.search.several_succeeded(replies.answered, replies.latency_s, saturated=replies.saturated)
        return self._moved()

    def restart(self) -> list[Grant]:
        """Search from the lowest on."""
        if self.search is not None:
            self.search.restart()
        return self._moved()

    def _changed(self) -> list[Grant]:
        """Act on another least of what the starts take the limit to be."""
        most = min(self.most.values())
        if self.search is None:
            return self.shared.change_limit(most)
        self.search.change_most(most)
        return self._moved()

    def _moved(self) -> list[Grant]:
        grants = self.shared.change_limit(self.search.value) if self.search is not None else []
        if grants:
            self._note_whether_it_holds()
        return grants

    def _note_whether_it_holds(self) -> None:
        if not self.shared.holds:
            self._held_since = math.inf
        elif self._held_since == math.inf:
            self._held_since = time.monotonic()
