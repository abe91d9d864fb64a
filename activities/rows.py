"""Rows on their way to the API and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


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
