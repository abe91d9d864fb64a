"""`POST /enrich`: the one call that must be fast, so it is plain ASGI in front of the framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from random import Random
from typing import Any

import orjson

from mock_api.calls import Calls
from mock_api.faults import Fault, Faults
from mock_api.settings import MockSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 16_777_216
FOR_EVER_S = 86_400.0
JSON_HEADER = (b"content-type", b"application/json")
RUBBISH = b"<html><body>Bad gateway</body></html>"
TIMEOUT_ANSWER = b'{"error":"API timeout"}'


class Enriching:
    """Answers `/enrich` and `/enrich/bulk`; everything else goes to `others`."""

    def __init__(self, settings: MockSettings, faults: Faults, calls: Calls, others: App, random: Random) -> None:
        self._settings = settings
        self._faults = faults
        self._calls = calls
        self._others = others
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] not in {"/enrich", "/enrich/bulk"} or scope["method"] != "POST":
            await self._others(scope, receive, send)
            return
        body = await _body(receive)
        key = next((value for name, value in scope["headers"] if name == b"idempotency-key"), b"").decode("latin-1")
        self._calls.began(key)
        status = "aborted"
        try:
            status = await self._answer(scope["path"], body, receive, send)
        finally:
            self._calls.ended(status)

    async def _answer(self, path: str, body: bytes, receive: Receive, send: Send) -> str:
        fault = self._faults.drawn()
        if fault is not None:
            return await self._misbehave(fault, receive, send)
        if path == "/enrich/bulk":
            return await self._answer_bulk(body, send)
        row = _object(body)
        if row is None:
            return await _respond(send, 422, orjson.dumps({"error": "the body must be a JSON object"}))
        settings = self._settings
        if self._random.random() < settings.failure_rate:
            return await _respond(send, 500, TIMEOUT_ANSWER)
        if settings.knee and settings.knee_kind == "reject" and self._calls.in_flight > settings.knee:
            return await _respond(send, 429, orjson.dumps({"error": "too many calls"}))
        await self._take_time()
        return await _respond(send, 200, orjson.dumps(_enriched(row)))

    async def _answer_bulk(self, body: bytes, send: Send) -> str:
        rows = (_object(body) or {}).get("rows")
        if not isinstance(rows, list) or not all(isinstance(each, dict) and "row" in each for each in rows):
            return await _respond(send, 422, orjson.dumps({"error": "the body must be {rows: [{key, row}]}"}))
        await self._take_time()
        results = [self._bulk_result(each) for each in rows]
        return await _respond(send, 200, orjson.dumps({"results": results}))

    def _bulk_result(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = asked.get("key")
        if isinstance(key, str):
            self._calls.keys[key] += 1
        if self._random.random() < self._settings.failure_rate:
            return {"key": key, "status": 500, "error": "API timeout"}
        return {"key": key, "status": 200, "row": _enriched(asked["row"])}

    async def _take_time(self) -> None:
        settings = self._settings
        latency_ms = self._random.uniform(settings.latency_min_ms, settings.latency_max_ms)
        if settings.knee and self._calls.in_flight > settings.knee:
            latency_ms *= self._calls.in_flight / settings.knee
        if latency_ms:
            await asyncio.sleep(latency_ms / 1_000)

    async def _misbehave(self, fault: Fault, receive: Receive, send: Send) -> str:
        if fault.kind == "status":
            await asyncio.sleep(fault.delay_s or 0)
            extra = [] if fault.retry_after is None else [(b"retry-after", str(fault.retry_after).encode())]
            return await _respond(send, fault.status, orjson.dumps({"error": "on demand"}), extra)
        if fault.kind == "rubbish":
            await asyncio.sleep(fault.delay_s or 0)
            return await _respond(send, 200, RUBBISH)
        if fault.kind == "drip":
            return await _drip(send, fault.delay_s or 1.0)
        if fault.kind == "hang":
            await _until_gone(receive, FOR_EVER_S if fault.delay_s is None else fault.delay_s)
        _drop(send)
        return fault.kind


def _enriched(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "enriched": True, "region": "NA" if row.get("country") == "US" else "INTL"}


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body") and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    return body


async def _respond(send: Send, status: int, body: bytes, extra: list[tuple[bytes, bytes]] | None = None) -> str:
    headers = [JSON_HEADER, (b"content-length", b"%d" % len(body)), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return str(status)


def _drop(send: Send) -> None:
    """Close the connection without an answer. ASGI has no word for it, so the server's own transport is asked."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


async def _drip(send: Send, delay_s: float) -> str:
    body = TIMEOUT_ANSWER
    headers = [JSON_HEADER, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for place in range(len(body)):
        await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        await asyncio.sleep(delay_s)
    await send({"type": "http.response.body", "body": b""})
    return "drip"


async def _until_gone(receive: Receive, most_s: float) -> None:
    try:
        async with asyncio.timeout(most_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
