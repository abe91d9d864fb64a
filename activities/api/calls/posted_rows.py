"""Rows as the settings alone say that they are called: each posted as it is, or many in one call under their keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from activities.api.options import ApiOptions
from activities.api.replies import Meaning, Reply
from activities.api.rows import BulkReplied, CallRow, Replied
from activities.api.transport.base import Answer, NoAnswer, Request
from activities.api.transport.calls import AddressCalls
from activities.api.transport.headers import target_of, traced_headers
from activities.api.transport.replies import reply_of

OK = 200


class PostedRows:
    """The calls of an API that takes a row as JSON and answers with what it adds."""

    def __init__(self, options: ApiOptions) -> None:
        self._options = options
        self._calls = AddressCalls(options.url, options)
        self._target = target_of(options.url)
        self._bulk_calls = AddressCalls(options.bulk_url, options) if options.bulk_url else self._calls
        self._bulk_target = target_of(options.bulk_url)
        self.bulk_size = options.bulk_size if options.bulk_url else 0

    async def aclose(self) -> None:
        """Close all connections."""
        await self._calls.aclose()
        if self._bulk_calls is not self._calls:
            await self._bulk_calls.aclose()

    def begin_row(self, row: CallRow, replied: Replied, *, anew: bool = False) -> None:
        """Post one row under its idempotency key, see `RowCalls`."""
        request = Request(b"POST", self._target, row.body, row.key, anew)
        if row.traceparent:
            request.headers = traced_headers((), row.traceparent, self._options.headers)
        self._calls.begin(request, partial(self._row_answered, replied))

    def begin_bulk(self, rows: Sequence[CallRow], replied: BulkReplied) -> None:
        """Post many rows in one call, see `RowCalls`."""
        request = Request(b"POST", self._bulk_target, bulk_body(rows))
        if rows[0].traceparent:
            request.headers = traced_headers((), rows[0].traceparent, self._options.headers)
        self._bulk_calls.begin(request, partial(self._bulk_answered, rows, replied))

    def _row_answered(self, replied: Replied, outcome: Answer | NoAnswer) -> None:
        replied(reply_of(outcome, self._options.url, self._options))

    def _bulk_answered(self, rows: Sequence[CallRow], replied: BulkReplied, outcome: Answer | NoAnswer) -> None:
        reply = reply_of(outcome, self._options.bulk_url, self._options)
        found = _answers(reply)
        replied(reply, [_own_reply(found.get(row.key), reply.latency_ms) for row in rows])


def bulk_body(rows: Sequence[CallRow]) -> bytes:
    """Return the body of a bulk call: `{"rows":[{"key":...,"row":{...}}, ...]}`."""
    return b'{"rows":[%b]}' % b",".join(b'{"key":%b,"row":%b}' % (orjson.dumps(row.key), row.body) for row in rows)


def _own_reply(answer: dict[str, Any] | None, latency_ms: float) -> Reply | None:
    return None if answer is None else Reply(Meaning.DONE, str(OK), "", answer=answer, latency_ms=latency_ms)


def _answers(reply: Reply) -> dict[str, dict[str, Any]]:
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
