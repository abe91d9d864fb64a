"""The calls of one API, counted as they end until somebody takes the count away.

A call has some 35 microseconds of CPU at best, so counting it is one append and nothing else: the rest is done once for
all that were counted.
"""

from __future__ import annotations

from collections import defaultdict

from activities.api.replies import UNSENT, Reply


class CallTally:
    """Calls that ended and calls that were made again. Used in one event loop; `take` it now and then.

    `ended` holds for each status the latencies of its calls in milliseconds, 0 where there was no answer.
    """

    def __init__(self) -> None:
        self.ended: defaultdict[str, list[float]] = defaultdict(list)
        self.retries = 0

    def count(self, reply: Reply) -> None:
        """Count a call that has ended; one that was not made is none."""
        if reply.status != UNSENT:
            self.ended[reply.status].append(reply.latency_ms)

    def take(self) -> tuple[dict[str, list[float]], int]:
        """Return the calls that ended since the last time, by status, and how many calls were made again."""
        taken = self.ended, self.retries
        self.ended, self.retries = defaultdict(list), 0
        return taken
