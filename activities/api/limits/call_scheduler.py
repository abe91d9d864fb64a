"""Every call goes through here: how many at once, how many a second, and whose turn it is.

One scheduler for all batches of a worker. Who has calls to make queues up once; the scheduler has it begin one whenever
it is its turn. Feeds take turns, and within a feed its batches, so a file of twenty rows is done in seconds beside one
of ten million, and a feed with one batch has as many calls as a feed with fifty. Within a batch the older page goes
first: pages that end one after the other leave no moment without calls, pages that end together would.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from itertools import count

from activities.api.limits.batch_turn import NO_CAPS, PROBES, BatchTurn, Caller, Caps
from activities.api.limits.buckets import Bucket
from activities.api.limits.shares import Alone, Shares
from activities.api.options import LONGEST_HELD_S
from activities.api.others import Others


class CallScheduler:
    """Admits calls: a batch comes, its callers queue up and begin calls, each of which leaves, the batch goes."""

    def __init__(
        self,
        most: int,
        rate: float,
        clock: Callable[[], float],
        *,
        shares: Shares | None = None,
        others: Others | None = None,
    ) -> None:
        self._shares = shares or Alone(clock)
        self._others = others or Others()
        self.in_flight = 0
        self.limit = self._shares.calls(most, lambda: self.in_flight, self.serve)
        self._clock = clock
        self._rate = self._shares.rate(rate, self.serve) if rate else None
        self._quota: Bucket | None = None
        self._buckets: list[Bucket] = [self._rate] if self._rate else []
        self._on_used_up: Callable[[float], None] = lambda _: None
        self._batches: dict[str, BatchTurn] = {}
        self._turns: OrderedDict[str, OrderedDict[str, BatchTurn]] = OrderedDict()
        """By feed, the batches with callers that wait: feeds and batches whose turn it is stand first."""
        self._arrivals = count()
        self._held_until = 0.0
        self._serving = False
        self._timer: asyncio.TimerHandle | None = None

    def limit_by(self, quota: Bucket, on_used_up: Callable[[float], None]) -> None:
        """Let `quota` decide too. `on_used_up` is called with the seconds where that is not to be waited for here."""
        self._quota = quota
        self._on_used_up = on_used_up
        self._buckets.append(quota)

    def change_limits(self, most: int, rate: float, quota: tuple[Bucket, Callable[[float], None]] | None) -> None:
        """Admit calls by other limits from now on. `quota`: as for `limit_by`, None for none."""
        self.limit.change_most(most)
        if self._rate is not None and rate:
            self._rate.change_rate(rate)
        else:
            if self._rate is not None:
                self._rate.close()
            self._rate = self._shares.rate(rate, self.serve) if rate else None
        self._buckets = [self._rate] if self._rate else []
        self._quota = None
        if quota is not None:
            self.limit_by(*quota)
        self._serve()

    def serve(self) -> None:
        """Let callers begin calls: there is room that was not there before."""
        self._serve()

    def come(self, name: str, caps: Caps = NO_CAPS, feed: str = "") -> None:
        """Note that a page of a batch is here, with what the batch may do at most from its next call on."""
        batch = self._batches.get(name)
        if batch is None:
            batch = self._batches[name] = BatchTurn(feed, never_held=name == PROBES)
        batch.users += 1
        if batch.caps != caps:
            batch.cap(name, caps, self._shares, self.serve)

    def go(self, name: str) -> None:
        """Note that a page of a batch is done; the last one takes the caps along."""
        self._batches[name].users -= 1
        self._forget(name)

    def queue_up(self, name: str, caller: Caller) -> None:
        """Let `caller` begin calls in its turn until it has none to make. It must not be in the queue already."""
        batch = self._batches[name]
        heapq.heappush(batch.waiting, (caller.sequence, next(self._arrivals), caller))
        turns = self._turns.get(batch.feed)
        if turns is None:
            turns = self._turns[batch.feed] = OrderedDict()
        turns.setdefault(name, batch)
        self._serve()

    def leave(self, name: str) -> None:
        """Note that a call has ended; whoever is next begins one."""
        batch = self._batches[name]
        self.in_flight -= 1
        batch.in_flight -= 1
        if self._turns:
            self._serve()
        self._forget(name)

    def hold(self, seconds: float) -> None:
        """Admit nobody but questions for a while, here and in the other processes: the API asked for it."""
        self.told_to_hold(seconds)
        self._others.hold(seconds)

    def told_to_hold(self, seconds: float) -> None:
        """Admit nobody but questions for a while."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def release(self) -> None:
        """Admit calls again, here and in the other processes: the API answers before the time it had asked for."""
        self.told_to_release()
        self._others.release()

    def told_to_release(self) -> None:
        """Admit calls again."""
        self._held_until = 0.0
        self._serve()

    def close(self) -> None:
        """Stop the timer, and give back what could be called."""
        if self._timer is not None:
            self._timer.cancel()
        self.limit.close()
        if self._rate is not None:
            self._rate.close()

    def _forget(self, name: str) -> None:
        batch = self._batches[name]
        if not batch.users and not batch.in_flight:
            del self._batches[name]
            batch.uncap()
            turns = self._turns.get(batch.feed)
            if turns is not None and turns.pop(name, batch) is batch and not turns:
                del self._turns[batch.feed]

    def _serve(self) -> None:
        """Let the callers begin calls until there is no room or nobody has a call to make."""
        if self._serving:  # a caller that queues up while it begins a call is served by the loop below
            return
        self._serving = True
        try:
            soonest_s = self._serve_in_turn()
        finally:
            self._serving = False
        if self._turns and self.in_flight >= self.limit.value:
            self.limit.wants_more()
        if soonest_s is None:
            return
        self._serve_in(soonest_s)
        if self._quota is not None and soonest_s > LONGEST_HELD_S and self._quota.wait_s() > LONGEST_HELD_S:
            self._on_used_up(self._quota.wait_s())

    def _serve_in_turn(self) -> float | None:
        """Return in how many seconds there is room again, or None: as soon as a call ends."""
        soonest_s: float | None = None
        passed_over = 0
        while self.in_flight < self.limit.value and passed_over < len(self._turns):
            feed, turns = next(iter(self._turns.items()))
            delay_s = self._serve_one_of(turns)
            if delay_s == 0:
                passed_over = 0
            else:
                passed_over += 1
                soonest_s = _sooner(soonest_s, delay_s)
            if turns:
                self._turns.move_to_end(feed)
            else:
                del self._turns[feed]
        return soonest_s

    def _serve_one_of(self, turns: OrderedDict[str, BatchTurn]) -> float | None:
        """Let the first batch of a feed that may begin a call; return 0, or else what `_delay_s` says at best."""
        soonest_s: float | None = None
        for _ in range(len(turns)):
            name, batch = next(iter(turns.items()))
            delay_s = self._delay_s(batch)
            if delay_s == 0:
                self._begin_call(batch)
            if batch.waiting:
                turns.move_to_end(name)
            else:
                del turns[name]
            if delay_s == 0:
                return 0.0
            soonest_s = _sooner(soonest_s, delay_s)
        return soonest_s

    def _begin_call(self, batch: BatchTurn) -> None:
        turn = batch.waiting[0]
        if turn[2].begin_call(saturated=self.in_flight + 1 >= self.limit.value):
            self.in_flight += 1
            batch.in_flight += 1
            for bucket in self._buckets:
                bucket.take()
            if batch.bucket is not None:
                batch.bucket.take()
        else:
            batch.waiting.remove(turn)
            heapq.heapify(batch.waiting)

    def _delay_s(self, batch: BatchTurn) -> float | None:
        """Return 0 where a call of `batch` may go now, the seconds to wait, or None: wait until a call ends."""
        if batch.caps is NO_CAPS and not self._buckets and not self._held_until:
            return 0.0
        if batch.limit is not None and batch.in_flight >= batch.limit.value:
            batch.limit.wants_more()
            return None
        delay_s = max(0.0, self._held_until - self._clock()) if self._held_until else 0.0
        if delay_s == 0.0:
            self._held_until = 0.0
        elif batch.never_held:
            delay_s = 0.0
        for bucket in (*self._buckets, *((batch.bucket,) if batch.bucket else ())):
            delay_s = max(delay_s, bucket.wait_s())
        return delay_s

    def _serve_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.001), self._serve)


def _sooner(one: float | None, other: float | None) -> float | None:
    """Return the lesser of two times; None is a time that nobody knows."""
    return one if other is None else other if one is None else min(one, other)
