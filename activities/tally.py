"""What a process counts as it works, until it is taken away to be added up for the whole service."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

START_DELAY_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0)


@dataclass(slots=True)
class Times:
    """How many times were at most each bound and more than the one before, last those above all bounds; their sum."""

    buckets: list[int]
    sum_s: float = 0.0

    @classmethod
    def none_of(cls, bounds_s: Sequence[float]) -> Times:
        """Return no times, to be counted within these bounds."""
        return cls([0] * (len(bounds_s) + 1))

    def add(self, other: Times) -> None:
        """Add times that were counted within the same bounds."""
        self.buckets = [one + another for one, another in zip(self.buckets, other.buckets, strict=True)]
        self.sum_s += other.sum_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted since the last time: rows by feed and outcome, ends by feed and state, delays of starts."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    start_delays: Times = field(default_factory=lambda: Times.none_of(START_DELAY_BOUNDS_S))


class Tally:
    """Counts rows, ends of batches and starts. Safe to use from many threads; `take` it now and then.

    The name of a feed is empty where no file names it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = Counted()

    def count_rows(self, feed: str, outcomes: Mapping[str, int]) -> None:
        """Count the rows of a page by their outcome: `enriched`, `not_found`, `fallback` or `rejected`."""
        with self._lock:
            self._counted.rows.update({(feed, outcome): rows for outcome, rows in outcomes.items() if rows})

    def count_end(self, feed: str, state: str) -> None:
        """Count the end of a batch: `completed`, `failed` or `cancelled`."""
        with self._lock:
            self._counted.ends[feed, state] += 1

    def count_start(self, delay_s: float) -> None:
        """Count a workflow that was started `delay_s` seconds after its file had settled."""
        with self._lock:
            delays = self._counted.start_delays
            delays.buckets[bisect_left(START_DELAY_BOUNDS_S, delay_s)] += 1
            delays.sum_s += delay_s

    def take(self) -> Counted:
        """Return what was counted since the last time."""
        with self._lock:
            taken, self._counted = self._counted, Counted()
        return taken
