"""In a worker: its part in a limit of calls a second."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from activities.api.limits.buckets import TokenBucket
from daemon.shares.granted_limit import GrantedLimit, Site

PARTS = 1_000
"""A rate is shared in thousandths, so that any number of processes can have some of any rate."""

UNTIL_GRANTED_S = 1.0
"""What a process says that has no part yet; it is told when it gets one."""

NOTED_S = 0.2
"""How often it is found out how many calls were made lately."""


class GrantedRate:
    """A token bucket that fills as fast as this process may call; what it saved up goes with its part."""

    def __init__(
        self, site: Site, name: str, rate: float, clock: Callable[[], float], on_more: Callable[[], None]
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._on_more = on_more
        self.limit = GrantedLimit(site, name, PARTS, self._parts_in_use, self._part_raised)
        self._part = 0
        self._bucket = TokenBucket(0.0, clock, saved=0.0)
        self._taken = 0
        self._noted_at = clock()
        self._in_use = 0

    def wait_s(self) -> float:
        """Return the seconds until the next call may go; 0 where it may now."""
        self._adjust()
        wait_s = self._bucket.wait_s() if self._part else UNTIL_GRANTED_S
        if wait_s:
            self.limit.wants_more()
        return wait_s

    def take(self) -> None:
        """Use up one call."""
        self._bucket.take()
        self._taken += 1

    def change_rate(self, rate: float) -> None:
        """Share another rate from now on."""
        if rate != self._rate:
            self._rate = rate
            self._bucket.change_rate(rate * self._part / PARTS)

    def close(self) -> None:
        """Use the limit no more."""
        self.limit.close()

    def _adjust(self) -> None:
        """Fill by the part that was granted last."""
        if self._part == self.limit.value:
            return
        self._part = self.limit.value
        if self._part:
            self._bucket.change_rate(self._rate * self._part / PARTS)
        else:
            self._bucket = TokenBucket(0.0, self._clock, saved=0.0)

    def _part_raised(self) -> None:
        self._adjust()
        self._on_more()

    def _parts_in_use(self) -> int:
        """Return what the calls made lately need, and never more than the part: it holds at once."""
        now = self._clock()
        if now - self._noted_at >= NOTED_S:
            calls_per_s = self._taken / (now - self._noted_at)
            self._in_use = ceil(calls_per_s / self._rate * PARTS)
            self._taken, self._noted_at = 0, now
        return min(self._in_use, self.limit.value)
