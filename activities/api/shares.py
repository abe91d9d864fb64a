"""What one worker process may do of what an API allows, and what it has to tell the others that call the same API.

A process that is alone has the whole of each limit: see `Alone`. Where there are several, `daemon.shares` says how much
each of them has at the moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from activities.api.adaptive_limit import AdaptiveLimit
from activities.api.buckets import Bucket, TokenBucket

InFlight = Callable[[], int]
OnMore = Callable[[], None]


class CallLimit(Protocol):
    """How many calls may be in flight now; where it is searched for, fed with the outcome of every call."""

    value: int

    def wants_more(self) -> None:
        """Note that calls wait because `value` of them are in flight. Called often, so it costs next to nothing."""

    def change_most(self, most: int) -> None:
        """Allow no more than `most` from now on, in all processes together."""

    def close(self) -> None:
        """Give back what was allowed: the limit is used no more."""


class SearchedLimit(CallLimit, Protocol):
    """A limit below which is searched for how many calls at once the API takes well."""

    def succeeded(self, latency_s: float, *, saturated: bool) -> None:
        """Feed a call that was answered. `saturated`: as many calls were in flight as allowed."""

    def rejected(self, took_s: float = 0.0) -> None:
        """Feed a call that the API turned away for having too much to do, after `took_s` seconds."""

    def timed_out(self) -> None:
        """Feed a call that was not answered in time."""

    def restart(self) -> None:
        """Start low again: after an outage nobody should storm the API."""


class RateLimit(Bucket, Protocol):
    """How many calls a second may begin."""

    def change_rate(self, rate: float) -> None:
        """Allow `rate` calls a second from now on, in all processes together. What was saved up stays, within it."""

    def close(self) -> None:
        """Give back what was allowed: the limit is used no more."""


class Shares(Protocol):
    """The part of this process in the limits of one API and of the batches that call it.

    `in_flight` says how many calls are in flight under a limit, `on_more` is called when there is room for more.
    """

    def calls(self, most: int, in_flight: InFlight, on_more: OnMore, /) -> SearchedLimit:
        """Return the limit of calls in flight of the API."""

    def rate(self, rate: float, on_more: OnMore, /) -> RateLimit:
        """Return the limit of calls a second of the API."""

    def calls_of(self, batch: str, most: int, in_flight: InFlight, on_more: OnMore, /) -> CallLimit:
        """Return the limit of calls in flight of one batch."""

    def rate_of(self, batch: str, rate: float, on_more: OnMore, /) -> RateLimit:
        """Return the limit of calls a second of one batch."""


class Circuit(Protocol):
    """What another process can say to the circuit breaker of this one."""

    def told_down(self, detail: str, wait_s: float) -> None:
        """Take the API to be down, and ask about it in `wait_s` seconds at the soonest."""

    def told_up(self) -> None:
        """Take the API to be up."""


class Held(Protocol):
    """What another process can say to the scheduler of this one."""

    def told_to_hold(self, seconds: float) -> None:
        """Begin no call for a while."""

    def told_to_release(self) -> None:
        """Begin calls again."""


class Others(Protocol):
    """The other processes that call the same API. What is said here reaches the circuit and the scheduler of each."""

    def join(self, circuit: Circuit, held: Held) -> None:
        """Hear from now on what others say, and what holds at the moment."""

    def down(self, detail: str, wait_s: float) -> None:
        """Say that the API is down, or still is, and is to be asked in `wait_s` seconds."""

    def up(self) -> None:
        """Say that the API answers."""

    def hold(self, seconds: float) -> None:
        """Say that the API asked for a rest."""

    def release(self) -> None:
        """Say that the rest is over."""

    async def may_probe(self) -> bool:
        """Take the right to make the one call that asks whether the API is back; `down` or `up` give it back."""

    def probe_given_up(self) -> None:
        """Give the right to probe back, unused."""


class Alone:
    """Shares of a process that has no others beside it: the whole of everything."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def calls(self, most: int, _in_flight: InFlight, _on_more: OnMore, /) -> SearchedLimit:
        """Return the limit of calls in flight of the API."""
        return AdaptiveLimit(most, self._clock)

    def rate(self, rate: float, _on_more: OnMore, /) -> RateLimit:
        """Return the limit of calls a second of the API."""
        return TokenBucket(rate, self._clock)

    def calls_of(self, _batch: str, most: int, _in_flight: InFlight, _on_more: OnMore, /) -> CallLimit:
        """Return the limit of calls in flight of one batch."""
        return FixedLimit(most)

    def rate_of(self, _batch: str, rate: float, _on_more: OnMore, /) -> RateLimit:
        """Return the limit of calls a second of one batch."""
        return TokenBucket(rate, self._clock)


class FixedLimit:
    """A limit that nobody shares or searches."""

    def __init__(self, most: int) -> None:
        self.value = most

    def wants_more(self) -> None:
        """Do nothing: there is no more."""

    def change_most(self, most: int) -> None:
        """Allow `most` from now on."""
        self.value = most

    def close(self) -> None:
        """Do nothing."""


class NoOthers:
    """Others where there are none."""

    def join(self, circuit: Circuit, held: Held) -> None:
        """Do nothing."""

    def down(self, detail: str, wait_s: float) -> None:
        """Do nothing."""

    def up(self) -> None:
        """Do nothing."""

    def hold(self, seconds: float) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""

    async def may_probe(self) -> bool:
        """Return True."""
        return True

    def probe_given_up(self) -> None:
        """Do nothing."""
