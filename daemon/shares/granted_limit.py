"""In a worker: its part in one limit, as the parent grants it and as it asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from daemon.processes.messages import Message
from daemon.shares.messages import Demand, Granted, Replies, Restart, Within


class Site(Protocol):
    """Where the limits of this process are looked after."""

    def send(self, message: Message) -> None:
        """Send a message to the parent."""

    def wake(self) -> None:
        """Look at the limits from now on, until all are idle."""

    def next_use(self) -> int:
        """Return a number that no use of a limit had before."""


class GrantedLimit:
    """How much of a limit this process may use: nothing before it asked for some.

    It wants all there is as long as something waits for more, and what it used lately otherwise. `in_use` says how much
    it uses at the moment; `on_more` is called when it may use more, and at times while something waits for it.
    """

    _searched = False

    def __init__(
        self, site: Site, name: str, most: int, in_use: Callable[[], int], on_more: Callable[[], None]
    ) -> None:
        self.name = name
        self.value = 0
        self._site = site
        self.use = site.next_use()
        self._most = most
        self._in_use = in_use
        self._on_more = on_more
        self._number = self._confirmed = 0
        self._wanted = self._peak = 0
        self._short = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is used, wanted or to be confirmed."""
        return not (self.value or self._wanted or self._short) and self._confirmed == self._number

    @property
    def is_closed(self) -> bool:
        """Whether it is used no more."""
        return not self._most

    def wants_more(self) -> None:
        """Note that something waits because `value` is used up. Called often: it says so once."""
        if not self._short:
            self._short = True
            self._site.wake()
            self._want(self._most)

    def change_most(self, most: int) -> None:
        """Share another limit from now on."""
        if most != self._most:
            self._most = most
            self._say(min(self._wanted, most))

    def close(self) -> None:
        """Use the limit no more."""
        self._most = self._wanted = self.value = 0
        self._say(0)

    def granted(self, message: Granted) -> None:
        """Use as much as was granted last."""
        if self.is_closed:
            return
        self._site.wake()
        more = message.calls > self.value
        self.value, self._number = message.calls, message.number
        self.note_use()
        if more:
            self._on_more()

    def note_use(self) -> None:
        """Look at how much is in use; say that it is within the last grant once it is. To be called often."""
        in_use = self._in_use()
        self._peak = max(self._peak, in_use)
        if self._confirmed != self._number and in_use <= self.value:
            self._confirmed = self._number
            self._site.send(Within(limit=self.name, use=self.use, number=self._number))

    def review(self) -> None:
        """Want no more than was used since the last review, where nothing waited for more. To be called at times.

        Who waited is asked whether it still does: it says so again.
        """
        if self._short:
            self._short = False
            self._on_more()
        else:
            self._want(min(self._most, self._peak))
        self._peak = self._in_use()

    def _want(self, wanted: int) -> None:
        if wanted != self._wanted:
            self._say(wanted)

    def _say(self, wanted: int) -> None:
        self._wanted = wanted
        self._site.send(Demand(limit=self.name, use=self.use, most=self._most, wanted=wanted, searched=self._searched))


class GrantedSearch(GrantedLimit):
    """The part in the calls in flight of an API; how many there may be is searched for in the parent."""

    _searched = True

    def __init__(
        self, site: Site, name: str, most: int, in_use: Callable[[], int], on_more: Callable[[], None]
    ) -> None:
        super().__init__(site, name, most, in_use, on_more)
        self._forget_replies()

    def succeeded(self, latency_s: float, *, saturated: bool) -> None:
        """Feed a call that was answered. `saturated`: as many calls were in flight as allowed."""
        self._answered += 1
        self._saturated += saturated
        self._latency_s += latency_s

    def rejected(self, took_s: float = 0.0) -> None:
        """Feed a call that the API turned away for having too much to do, after `took_s` seconds."""
        self._rejected.append(took_s)
        self.note_use()  # who waits to say so is turned away again meanwhile

    def timed_out(self) -> None:
        """Feed a call that was not answered in time."""
        self._timed_out += 1

    def restart(self) -> None:
        """Search from the lowest on, in all processes."""
        self._forget_replies()
        self._site.send(Restart(limit=self.name))

    def note_use(self) -> None:
        """Look at how much is in use, and say what came of the calls since the last time."""
        super().note_use()
        if self._answered or self._rejected or self._timed_out:
            self._site.send(
                Replies(
                    limit=self.name,
                    answered=self._answered,
                    saturated=self._saturated,
                    latency_s=self._latency_s,
                    rejected=self._rejected,
                    timed_out=self._timed_out,
                )
            )
            self._forget_replies()

    def _forget_replies(self) -> None:
        self._answered = self._saturated = self._timed_out = 0
        self._latency_s = 0.0
        self._rejected: list[float] = []
