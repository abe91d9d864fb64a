"""Rows on their way to the API and back, one in a call or, for an API that offers it, many (bulk)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from activities.api.replies import Meaning, Reply

OK = 200


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


def bulk_body(rows: Sequence[CallRow]) -> bytes:
    """Return the body of a bulk call: `{"rows":[{"key":...,"row":{...}}, ...]}`."""
    return b'{"rows":[%b]}' % b",".join(b'{"key":%b,"row":%b}' % (orjson.dumps(row.key), row.body) for row in rows)


def bulk_answers(reply: Reply) -> dict[str, dict[str, Any]]:
    """Return what a bulk call answered, by key, for each row that it has a good answer for."""
    results = (reply.answer or {}).get("results")
    return {
        each["key"]: each["row"]
        for each in (results if isinstance(results, list) else [])
        if isinstance(each, dict)
        and isinstance(each.get("key"), str)
        and each.get("status") == OK
        and isinstance(each.get("row"), dict)
    }
