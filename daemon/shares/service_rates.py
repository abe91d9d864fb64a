"""In the parent: hands out the calls that may begin under a limit of calls a second, to workers in turn."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from activities.api.limits.buckets import TokenBucket
from daemon.processes.child import Child
from daemon.shares.messages import CallsBack, MayCall, Uses, WantsCalls

AT_ONCE_S = 0.1
"""A worker is handed what may begin in so long, or its part of it where others wait: fewer messages than calls."""

User = tuple[str, int]
"""A child, by its name, and the number of its use of a limit."""


class ServiceRates:
    """The limits of calls a second that the processes of `children` share. Use it in one event loop."""

    def __init__(self, children: Sequence[Child], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._children = {child.name: child for child in children}
        self._rates: dict[str, _Rate] = {}
        for child in children:
            child.on(Uses, partial(self._used, child.name))
            child.on(WantsCalls, partial(self._wanted, child.name))
            child.on(CallsBack, self._given_back)
            child.on_end.append(partial(self._ended, child.name))

    def _used(self, child: str, message: Uses) -> None:
        if not message.rate:
            self._leave(message.limit, [(child, message.use)])
            return
        rate = self._rates.get(message.limit)
        if rate is None:
            rate = self._rates[message.limit] = _Rate(message.rate, self._clock, partial(self._send, message.limit))
        rate.take_to_be((child, message.use), message.rate)

    def _wanted(self, child: str, message: WantsCalls) -> None:
        if rate := self._rates.get(message.limit):
            rate.ask((child, message.use))

    def _given_back(self, message: CallsBack) -> None:
        if rate := self._rates.get(message.limit):
            rate.give_back(message.calls)

    def _ended(self, child: str) -> None:
        for name, rate in list(self._rates.items()):
            self._leave(name, [user for user in rate.rates if user[0] == child])

    def _leave(self, name: str, users: Sequence[User]) -> None:
        rate = self._rates.get(name)
        if rate is None:
            return
        for user in users:
            rate.leave(user)
        if not rate.rates:
            rate.close()
            del self._rates[name]

    def _send(self, name: str, user: User, calls: int) -> None:
        child, use = user
        self._children[child].send(MayCall(limit=name, use=use, calls=calls))


class _Rate:
    """One limit: who uses it and at which rate each takes it to be, who asks, and what may begin now."""

    def __init__(self, rate: float, clock: Callable[[], float], send: Callable[[User, int], None]) -> None:
        self.rates: dict[User, float] = {}
        self._bucket = TokenBucket(rate, clock)
        self._send = send
        self._asking: deque[User] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take_to_be(self, user: User, rate: float) -> None:
        """Take note of what a use takes the rate to be; the least of all holds."""
        self.rates[user] = rate
        self._bucket.change_rate(min(self.rates.values()))
        self._hand_out()

    def ask(self, user: User) -> None:
        """Take note that a use waits for calls."""
        if user not in self._asking:
            self._asking.append(user)
        self._hand_out()

    def give_back(self, calls: int) -> None:
        """Let others have calls that were not needed."""
        self._bucket.give_back(calls)
        self._hand_out()

    def leave(self, user: User) -> None:
        """Forget a use that is over."""
        if user in self._asking:
            self._asking.remove(user)
        if self.rates.pop(user, None) is not None and self.rates:
            self._bucket.change_rate(min(self.rates.values()))

    def close(self) -> None:
        """Hand out no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _hand_out(self) -> None:
        self.close()
        while self._asking and not (wait_s := self._bucket.wait_s()):
            user = self._asking.popleft()
            most = max(1, int(min(self.rates.values()) * AT_ONCE_S / (len(self._asking) + 1)))
            calls = 0
            while calls < most and not self._bucket.wait_s():
                self._bucket.take()
                calls += 1
            self._send(user, calls)
        if self._asking:
            self._timer = asyncio.get_running_loop().call_later(max(wait_s, 0.001), self._hand_out)
