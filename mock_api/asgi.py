"""Plain ASGI: what the faces of the mock read and write, and the ways to answer badly that no framework offers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 16_777_216
JSON_HEADER = (b"content-type", b"application/json")


async def read_body(receive: Receive) -> bytes:
    """Return the body of a request, or what came of it until it was too long."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body") and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    return body


def json_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that `body` is; None where it is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def header(scope: Scope, name: bytes) -> str:
    """Return the value of a header, whose name is in lower case; empty where it is missing."""
    value: bytes = next((value for found, value in scope["headers"] if found == name), b"")
    return value.decode("latin-1")


async def respond(send: Send, status: int, body: bytes, extra: list[tuple[bytes, bytes]] | None = None) -> str:
    """Send a whole answer, and return its status as text."""
    headers = [JSON_HEADER, (b"content-length", b"%d" % len(body)), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return str(status)


def drop(send: Send) -> None:
    """Close the connection without an answer. ASGI has no word for it, so the server's own transport is asked."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


async def drip(send: Send, body: bytes, delay_s: float) -> None:
    """Send `body` a byte every `delay_s` seconds."""
    headers = [JSON_HEADER, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for place in range(len(body)):
        await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        await asyncio.sleep(delay_s)
    await send({"type": "http.response.body", "body": b""})


async def until_gone(receive: Receive, most_s: float) -> None:
    """Wait until the caller has hung up, `most_s` seconds at most."""
    try:
        async with asyncio.timeout(most_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
