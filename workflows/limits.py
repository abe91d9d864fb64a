"""When a batch should stop and ask: the settings MAX_FALLBACK and MAX_REJECTED."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from workflows.models import Counts, Shape


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that is past, by the name of its setting, and in words."""

    limit: str
    reason: str


def excess(shape: Shape, counts: Counts, *, accepted: Collection[str] = (), whole: bool = False) -> Excess | None:
    """Return the first limit that `counts` is past, but for those `accepted`; None where all is well.

    A share is judged once `limit_sample_rows` records are done, or when `counts` are those of the `whole` file.
    """
    for limit, most, amount, kind in (
        ("MAX_FALLBACK", shape.max_fallback, counts.fallback, "fallback"),
        ("MAX_REJECTED", shape.max_rejected, counts.rejected, "rejected"),
    ):
        enough = whole or counts.records >= shape.limit_sample_rows
        if limit not in accepted and _is_past(most, amount, counts.records, enough=enough):
            told = f"{amount} of {counts.records} rows are {kind}, more than BATCH_{limit}={most} allows"
            return Excess(limit, told)
    return None


def _is_past(most: str, amount: int, records: int, *, enough: bool) -> bool:
    if not most.endswith("%"):
        return amount > int(most)
    share = float(most[:-1]) / 100
    return share < 1 and enough and amount > share * records
