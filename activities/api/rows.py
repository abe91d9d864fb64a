"""Rows on their way to the API and back, one in a call or, for an API that offers it, many (bulk)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from activities.api.replies import Meaning, Reply
from activities.api.transport.base import awaited
from workflows.models import NOT_FOUND

Replied = Callable[[Reply], None]
"""Takes the reply to a call. Must not raise."""

BulkReplied = Callable[[Reply, Sequence[Reply | None]], None]
"""Takes the reply to a bulk call, and one for each of its rows: None for a row that is to be called singly."""


class RowCalls(Protocol):
    """How the rows of one batch are called, where a configuration file says it."""

    bulk_size: int
    """How many rows go in one call; 0 for one by one."""

    def begin_row(self, row: CallRow, replied: Replied, *, anew: bool = False) -> None:
        """Call the API for a row; `replied` is called once, never before this returns. `anew`: see `Request`."""

    def begin_bulk(self, rows: Sequence[CallRow], replied: BulkReplied) -> None:
        """Call the API for many rows; `replied` is called once, never before this returns."""


@dataclass(slots=True)
class CallRow:
    """A row to be sent: its record number, its idempotency key, and its source columns as a JSON object.

    `typed` is the same as values, where a schema has typed them: they keep their digits. `calls` makes its calls; None
    for the one way that the settings say. `traceparent` is the header of its next call, where that is traced.
    """

    number: int
    key: str
    body: bytes = field(repr=False)
    calls: RowCalls | None = None
    typed: dict[str, Any] | None = field(default=None, repr=False)
    traceparent: str = ""

    def values(self) -> dict[str, Any]:
        """Return the columns as values."""
        found: dict[str, Any] = orjson.loads(self.body) if self.typed is None else self.typed
        return found


@dataclass(slots=True)
class RowOutcome:
    """The final answer for one row.

    `added` is the API's answer, None for a fallback row, whose `error` then says why. `statuses` has one entry per call
    made; `latency_ms` is that of the successful one.
    """

    number: int
    added: dict[str, Any] | None = field(repr=False)
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
    answered before, if one is known: asked again, it tells an outage from rows that are bad themselves. `calls`
    makes the calls, None for the one way that the settings say. `feed` is whose turn it is at the scheduler.
    """

    rows: Iterable[CallRow]
    probe: bool = False
    answered: CallRow | None = None
    calls: RowCalls | None = None
    feed: str = ""


def outcome_of(row: CallRow, statuses: tuple[str, ...], reply: Reply) -> RowOutcome:
    """Return the final answer for a row that its last reply gives: enriched, not found, or a fallback row."""
    if reply.meaning is Meaning.DONE:
        return RowOutcome(row.number, reply.answer, None, statuses, reply.latency_ms)
    if reply.meaning is Meaning.NOT_FOUND:
        return RowOutcome(row.number, None, NOT_FOUND, statuses, reply.latency_ms)
    return RowOutcome(row.number, None, reply.code, statuses)


async def reply_to(row: CallRow, calls: RowCalls, *, anew: bool = False) -> Reply:
    """Call the API for a row and wait for the reply. Never raises, but when cancelled."""
    return await awaited(lambda replied: calls.begin_row(row, replied, anew=anew))
