"""What a process counts as it works, until it is taken away to be added up for the whole service."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted since the last time: rows by feed and outcome, ends by feed and state, delays of starts in s."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    start_delays_s: list[float] = field(default_factory=list)


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
            self._counted.start_delays_s.append(delay_s)

    def take(self) -> Counted:
        """Return what was counted since the last time."""
        with self._lock:
            taken, self._counted = self._counted, Counted()
        return taken
