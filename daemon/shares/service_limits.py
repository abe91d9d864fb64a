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
    """The limits that the processes of `children` share. A limit is known from the first demand for it on.

    Who shares is a use of a limit: a process uses an API twice that goes and comes back while pages of it run.
    """

    def __init__(self, children: Sequence[Child]) -> None:
        self._numbers = count()
        self._number: dict[tuple[str, int], int] = {}
        """By child and its number of the use, a number that no use had before."""
        self._user: dict[int, tuple[Child, int]] = {}
        self._limits: dict[str, _Limit] = {}
        for child in children:
            child.on(Demand, partial(self._demand, child))
            child.on(Within, partial(self._within, child))
            child.on(Replies, self._replies)
            child.on(Restart, self._restart)
            child.on_end.append(partial(self._ended, child))

    async def take_turns(self) -> None:
        """Let processes take turns, until cancelled."""
        while True:
            await asyncio.sleep(TURN_S)
            for name, limit in self._limits.items():
                self._send(name, limit.shared.next_turn())

    def _demand(self, child: Child, message: Demand) -> None:
        limit = self._limits.get(message.limit)
        if limit is None:
            limit = self._limits[message.limit] = _Limit(message.most, searched=message.searched)
        key = child.name, message.use
        if key not in self._number:
            number = self._number[key] = next(self._numbers)
            self._user[number] = child, message.use
        self._send(message.limit, limit.demand(self._number[key], message.most, message.wanted))
        if not message.most:
            del self._user[self._number.pop(key)]
        self._forget(message.limit)

    def _within(self, child: Child, message: Within) -> None:
        limit, number = self._limits.get(message.limit), self._number.get((child.name, message.use))
        if limit is not None and number is not None:
            self._send(message.limit, limit.confirm(number, message.number))
            self._forget(message.limit)

    def _replies(self, message: Replies) -> None:
        if limit := self._limits.get(message.limit):
            self._send(message.limit, limit.learn(message))

    def _restart(self, message: Restart) -> None:
        if limit := self._limits.get(message.limit):
            self._send(message.limit, limit.restart())

    def _ended(self, child: Child) -> None:
        ended = [key for key in self._number if key[0] == child.name]
        numbers = [self._number.pop(key) for key in ended]
        for name, limit in list(self._limits.items()):
            for number in numbers:
                self._send(name, limit.end(number))
            self._forget(name)
        for number in numbers:
            del self._user[number]

    def _send(self, name: str, grants: Iterable[Grant]) -> None:
        for grant in grants:
            child, use = self._user[grant.use]
            child.send(Granted(limit=name, use=use, number=grant.number, calls=grant.calls))

    def _forget(self, name: str) -> None:
        """Drop a limit that nobody uses; what was found out about an API is kept while a worker knows the API."""
        limit = self._limits[name]
        if limit.shared.is_idle and not (limit.search and limit.most):
            del self._limits[name]


class _Limit:
    """One limit: what each use takes it to be at most, and what the search says where there is one."""

    def __init__(self, most: int, *, searched: bool) -> None:
        self.search = AdaptiveLimit(most, time.monotonic, shortest_window_s=SHORTEST_WINDOW_S) if searched else None
        self.shared = SharedLimit(most)
        self.most: dict[int, int] = {}
        self._held_since = 0.0
        """Since when the last lower grants hold in all processes; infinite where they do not yet."""

    def demand(self, use: int, most: int, wanted: int) -> list[Grant]:
        """Take note of what a use wants, or that it is over where `most` is 0."""
        if not most:
            return self.end(use)
        if use not in self.most:
            self.shared.begin(use)
        changed = self.most.get(use) != most
        self.most[use] = most
        return [*(self._changed() if changed else ()), *self.shared.demand(use, wanted)]

    def end(self, use: int) -> list[Grant]:
        """Forget a use that is over."""
        if self.most.pop(use, None) is None:
            return []
        grants = self.shared.end(use)
        grants = [*grants, *self._changed()] if self.most else grants
        self._note_whether_it_holds()
        return grants

    def confirm(self, use: int, number: int) -> list[Grant]:
        """Take note that a use is within a grant."""
        grants = self.shared.confirm(use, number)
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
        """Act on another least of what the uses take the limit to be."""
        most = min(self.most.values())
        if self.search is None:
            return self.shared.change_limit(most)
        self.search.change_most(most)
        return self._moved()

    def _moved(self) -> list[Grant]:
        """Grant by what the search says; where that is less, rejections say nothing until it holds everywhere."""
        grants = self.shared.change_limit(self.search.value) if self.search is not None else []
        if grants and not self.shared.holds:
            self._held_since = math.inf
        return grants

    def _note_whether_it_holds(self) -> None:
        if self._held_since == math.inf and self.shared.holds:
            self._held_since = time.monotonic()
