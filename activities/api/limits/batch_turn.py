"""One batch at the scheduler: who of it waits to call, what is in flight, and what it may do at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from activities.api.limits.shares import CallLimit, RateLimit, Shares


class Caller(Protocol):
    """Who waits for the scheduler to make calls."""

    sequence: int
    """Of the callers of one batch, the one with the lowest sequence goes first."""

    def begin_call(self, *, saturated: bool) -> bool:
        """Begin one call and return True, or return False and be out of the queue: there is nothing to call now.

        Must not raise: it is called when the calls of others end.

        Args:
            saturated: with this call, as many are in flight as allowed.
        """


@dataclass(frozen=True, slots=True)
class Caps:
    """What one batch may do at most; None leaves the scheduler's own limits."""

    concurrency: int | None = None
    rate: float | None = None


NO_CAPS = Caps()


PROBES = ""
"""Probes of the API wait as a batch of their own. No hold stops them: they show whether it is needed."""


class BatchTurn:
    """One batch at the scheduler: its callers that wait, its calls in flight, and what it may do at most."""

    def __init__(self, feed: str, *, never_held: bool) -> None:
        self.feed = feed
        self.never_held = never_held
        self.waiting: list[tuple[int, int, Caller]] = []
        self.in_flight = 0
        self.users = 0
        self.caps = NO_CAPS
        self.limit: CallLimit | None = None
        self.bucket: RateLimit | None = None

    def cap(self, name: str, caps: Caps, shares: Shares, on_more: Callable[[], None]) -> None:
        """Hold the batch to `caps` from its next call on."""
        self.caps = NO_CAPS if caps == NO_CAPS else caps
        if self.limit is not None and caps.concurrency:
            self.limit.change_most(caps.concurrency)
        else:
            self._drop(self.limit)
            most = caps.concurrency
            self.limit = shares.calls_of(name, most, lambda: self.in_flight, on_more) if most else None
        if self.bucket is not None and caps.rate:
            self.bucket.change_rate(caps.rate)
        else:
            self._drop(self.bucket)
            self.bucket = shares.rate_of(name, caps.rate, on_more) if caps.rate else None

    def uncap(self) -> None:
        """Give back what the batch could do."""
        self._drop(self.limit)
        self._drop(self.bucket)

    @staticmethod
    def _drop(limit: CallLimit | RateLimit | None) -> None:
        if limit is not None:
            limit.close()
