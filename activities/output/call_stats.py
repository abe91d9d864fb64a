"""What the API calls of some rows cost, as sums that add up over pages, attempts and continue-as-new."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from activities.output.row_log import DurableRow
from workflows.models import CallStats

BUCKETS_PER_OCTAVE = 8


def call_stats(rows: Iterable[DurableRow]) -> CallStats:
    """Return what the calls of `rows` cost, whoever made them."""
    calls = retries = 0
    by_status: defaultdict[str, int] = defaultdict(int)
    latency_ms: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        if row.statuses:
            calls += len(row.statuses)
            retries += len(row.statuses) - 1
        for status in row.statuses:
            by_status[status] += 1
        if row.kind == "E":
            latency_ms[bucket(row.latency_ms)] += 1
    return CallStats(
        calls=calls,
        retries=retries,
        by_status=dict(sorted(by_status.items())),
        latency_ms={str(key): count for key, count in sorted(latency_ms.items())},
    )


def bucket(latency_ms: float) -> int:
    """Return the histogram bucket of a latency: `floor(8 * log2(milliseconds + 1))`."""
    return math.floor(BUCKETS_PER_OCTAVE * math.log2(max(latency_ms, 0.0) + 1))


def percentile_ms(stats: CallStats, percent: float) -> float | None:
    """Return the latency that `percent` of the successful calls did not exceed, within 5 %; None without calls."""
    total = sum(stats.latency_ms.values())
    passed = 0
    for key, count in sorted((int(key), count) for key, count in stats.latency_ms.items()):
        passed += count
        if passed * 100 >= percent * total:
            return round(float(2 ** ((key + 0.5) / BUCKETS_PER_OCTAVE)) - 1, 1)
    return None
