"""`POST /enrich`: the one call that must be fast, so it is plain ASGI in front of the framework."""

from __future__ import annotations

from typing import Any

import orjson

from mock_api.asgi import App, Receive, Scope, Send, header, json_object, read_body, respond
from mock_api.conduct import TIMEOUT_ANSWER, Conduct, misbehave


class Enriching:
    """Answers `/enrich` and `/enrich/bulk`; everything else goes to `others`."""

    def __init__(self, conduct: Conduct, others: App) -> None:
        self._conduct = conduct
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] not in {"/enrich", "/enrich/bulk"} or scope["method"] != "POST":
            await self._others(scope, receive, send)
            return
        body = await read_body(receive)
        path, calls = scope["path"], self._conduct.calls
        calls.began(header(scope, b"idempotency-key"), path)
        status = "aborted"
        try:
            status = await self._answer(path, body, receive, send)
        finally:
            calls.ended(status)

    async def _answer(self, path: str, body: bytes, receive: Receive, send: Send) -> str:
        conduct = self._conduct
        fault = conduct.fault_for(path)
        if fault is not None:
            return await misbehave(fault, receive, send)
        if path == "/enrich/bulk":
            return await self._answer_bulk(body, send)
        row = json_object(body)
        if row is None:
            return await respond(send, 422, orjson.dumps({"error": "the body must be a JSON object"}))
        if conduct.fails():
            return await respond(send, 500, TIMEOUT_ANSWER)
        if conduct.is_over_knee():
            return await respond(send, 429, orjson.dumps({"error": "too many calls"}))
        await conduct.take_time()
        return await respond(send, 200, orjson.dumps(enriched(row)))

    async def _answer_bulk(self, body: bytes, send: Send) -> str:
        rows = (json_object(body) or {}).get("rows")
        if not isinstance(rows, list) or not all(isinstance(each, dict) and "row" in each for each in rows):
            return await respond(send, 422, orjson.dumps({"error": "the body must be {rows: [{key, row}]}"}))
        await self._conduct.take_time()
        results = [self._bulk_result(each) for each in rows]
        return await respond(send, 200, orjson.dumps({"results": results}))

    def _bulk_result(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = asked.get("key")
        if isinstance(key, str):
            self._conduct.calls.keys[key] += 1
        if self._conduct.fails():
            return {"key": key, "status": 500, "error": "API timeout"}
        return {"key": key, "status": 200, "row": enriched(asked["row"])}


def enriched(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the API makes of a row."""
    return {**row, "enriched": True, "region": "NA" if row.get("country") == "US" else "INTL"}
