"""What one worker process may do of what an API allows.

A process that is alone has the whole of each limit: see `Alone`. Where there are several, `daemon.shares` says how much
each of them has at the moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from activities.api.limits.adaptive_limit import AdaptiveLimit
from activities.api.limits.buckets import Bucket, TokenBucket

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
