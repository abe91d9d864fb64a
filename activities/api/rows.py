"""Rows on their way to the API and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from activities.api.replies import Meaning, Reply


@dataclass(slots=True)
class CallRow:
    """A row to be sent: its record number, its idempotency key, and its source columns as a JSON object."""

    number: int
    key: str
    body: bytes


@dataclass(slots=True)
class RowOutcome:
    """The final answer for one row.

    `added` is the API's answer, None for a fallback row, whose `error` then says why. `statuses` has one entry per call
    made; `latency_ms` is that of the successful one.
    """

    number: int
    added: dict[str, Any] | None
    error: str | None
    statuses: tuple[str, ...]
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What became of a page: every row has its answer, or the API is down, or it refuses us."""

    outcome: Literal["done", "api_down", "api_refused"]
    detail: str = ""
    retry_after_s: float = 0.0


DONE = PageOutcome("done")


@dataclass(frozen=True, slots=True)
class PageRows:
    """The rows of a page that are to be called, pulled one by one.

    `probe`: the first one asks whether the API is back, with a single call. `answered` is a row that the API has
    answered before, if one is known: asked again, it tells an outage from rows that are bad themselves.
    """

    rows: Iterable[CallRow]
    probe: bool = False
    answered: CallRow | None = None


def outcome_of(row: CallRow, statuses: tuple[str, ...], reply: Reply) -> RowOutcome:
    """Return the final answer for a row that its last reply gives: enriched, or a fallback row."""
    if reply.meaning is Meaning.DONE:
        return RowOutcome(row.number, reply.answer, None, statuses, reply.latency_ms)
    return RowOutcome(row.number, None, reply.code, statuses)
