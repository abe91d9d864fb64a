"""The gate that every call goes through: how many at once, how many a second, and whose turn it is.

One gate for all batches of a worker. Batches that wait are served in turn, so a file of twenty rows is done in seconds
beside one of ten million. Within a batch the older page goes first: pages that end one after the other leave the gate
no moment without calls, pages that end together would.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from activities.concurrency import AdaptiveLimit

_Turn = tuple[int, int, "asyncio.Future[None]"]
"""Page, arrival, and what the caller waits for."""


class TokenBucket:
    """Lets `rate` calls a second through, with a burst of a tenth of a second; 0 means no limit."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._clock = clock
        self._tokens = 1.0
        self._filled_at = clock()

    def wait_s(self) -> float:
        """Return the seconds until the next call may go; 0 where it may now."""
        if not self.rate:
            return 0.0
        now = self._clock()
        self._tokens = min(max(1.0, self.rate / 10), self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.rate

    def take(self) -> None:
        """Use up one call."""
        if self.rate:
            self._tokens -= 1


@dataclass(frozen=True, slots=True)
class Caps:
    """What one batch may do at most; None leaves the gate's own limits."""

    concurrency: int | None = None
    rate: float | None = None


class Gate:
    """Admits calls. `enter` and `leave` go together; both are cheap when nobody waits."""

    def __init__(self, most: int, rate: float, clock: Callable[[], float]) -> None:
        self.limit = AdaptiveLimit(most, clock)
        self.in_flight = 0
        self._clock = clock
        self._bucket = TokenBucket(rate, clock)
        self._batches: Counter[str] = Counter()
        self._caps: dict[str, tuple[Caps, TokenBucket]] = {}
        self._waiting: OrderedDict[str, list[_Turn]] = OrderedDict()
        self._arrivals = count()
        self._held_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def set_caps(self, batch: str, caps: Caps) -> None:
        """Set what a batch may do at most, from its next call on."""
        known = self._caps.get(batch)
        if known is None or known[0] != caps:
            self._caps[batch] = (caps, TokenBucket(caps.rate or 0.0, self._clock))

    def forget(self, batch: str) -> None:
        """Forget the caps of a batch that has no call in flight."""
        if not self._batches[batch]:
            del self._batches[batch]
            self._caps.pop(batch, None)

    def enter_at_once(self, batch: str) -> bool:
        """Let a call of `batch` in where nobody waits; False where it must `enter` in its turn."""
        if self._waiting or self._delay_s(batch) != 0:
            return False
        self._admit(batch)
        return True

    async def enter(self, batch: str, page: int = 0) -> None:
        """Return when `batch` may make its call. Of its waiting calls, those with the lowest `page` go first."""
        if self.enter_at_once(batch):
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting.setdefault(batch, []), (page, next(self._arrivals), turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(batch)
            raise

    def leave(self, batch: str) -> None:
        """Note that a call has ended."""
        self.in_flight -= 1
        self._batches[batch] -= 1
        if self._waiting:
            self._serve()

    def hold(self, seconds: float) -> None:
        """Admit nobody for a while: the API asked for it."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    @property
    def saturated(self) -> bool:
        """Whether as many calls are in flight as allowed."""
        return self.in_flight >= self.limit.value

    def _delay_s(self, batch: str) -> float | None:
        """Return 0 where a call of `batch` may go now, the seconds to wait, or None: wait until a call ends."""
        if self.in_flight >= self.limit.value:
            return None
        caps, bucket = self._caps.get(batch, (None, None))
        if caps is not None and caps.concurrency is not None and self._batches[batch] >= caps.concurrency:
            return None
        held_s = max(0.0, self._held_until - self._clock()) if self._held_until else 0.0
        return max(held_s, self._bucket.wait_s(), bucket.wait_s() if bucket else 0.0)

    def _admit(self, batch: str) -> None:
        self.in_flight += 1
        self._batches[batch] += 1
        self._bucket.take()
        if batch in self._caps:
            self._caps[batch][1].take()

    def _serve(self) -> None:
        soonest_s: float | None = None
        passed_over = 0
        while self._waiting and passed_over < len(self._waiting):
            batch, turns = next(iter(self._waiting.items()))
            while turns and turns[0][2].cancelled():
                heapq.heappop(turns)
            if not turns:
                del self._waiting[batch]
                continue
            delay_s = self._delay_s(batch)
            if delay_s == 0:
                self._admit(batch)
                heapq.heappop(turns)[2].set_result(None)
                passed_over = 0
            else:
                passed_over += 1
                soonest_s = delay_s if soonest_s is None else min(soonest_s, delay_s or soonest_s)
            self._waiting.move_to_end(batch)
        if soonest_s is not None and self._waiting:
            self._serve_in(soonest_s)

    def _serve_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.001), self._serve)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
