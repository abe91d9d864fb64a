"""When a batch should stop and ask: the settings MAX_FALLBACK and MAX_REJECTED."""

from __future__ import annotations

from workflows.models import Counts, Shape


def exceeded(shape: Shape, counts: Counts) -> str | None:
    """Return in words which limit `counts` is past, or None where all is well."""
    return _past("MAX_FALLBACK", shape.max_fallback, counts.fallback, "fallback", counts, shape) or _past(
        "MAX_REJECTED", shape.max_rejected, counts.rejected, "rejected", counts, shape
    )


def _past(name: str, limit: str, amount: int, kind: str, counts: Counts, shape: Shape) -> str | None:
    if limit.endswith("%"):
        share = float(limit[:-1]) / 100
        over = share < 1 and counts.records >= shape.limit_sample_rows and amount > share * counts.records
    else:
        over = amount > int(limit)
    return f"{amount} of {counts.records} rows are {kind}, more than BATCH_{name}={limit} allows" if over else None
