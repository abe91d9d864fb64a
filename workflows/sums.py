"""Sums of what pages count, which add up in any order."""

from __future__ import annotations

from workflows.models import CallStats, Counts


def added_counts(first: Counts, second: Counts) -> Counts:
    """Return the sum of two counts."""
    return Counts(
        records=first.records + second.records,
        enriched=first.enriched + second.enriched,
        fallback=first.fallback + second.fallback,
        rejected=first.rejected + second.rejected,
        by_error=_summed(first.by_error, second.by_error),
    )


def added_stats(first: CallStats, second: CallStats) -> CallStats:
    """Return the sum of two call statistics."""
    return CallStats(
        calls=first.calls + second.calls,
        retries=first.retries + second.retries,
        by_status=_summed(first.by_status, second.by_status),
        latency_ms=_summed(first.latency_ms, second.latency_ms),
    )


def _summed(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    """Return the sums of two counters, key by key."""
    return {key: first.get(key, 0) + second.get(key, 0) for key in sorted(first | second)}
