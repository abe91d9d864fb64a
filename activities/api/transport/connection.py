"""One HTTP/1.1 connection to the API: a request out, an answer in, and again.

httptools (the parser of Node.js) reads the answers; what is here is the waiting. A general client spends four fifths of
a call on URLs, cookies, redirects and timers that one fixed POST does not have, see docs/performance.md. For the same
reason an answer is handed to a callback: a future and a task for each call cost as much as the call.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

import httptools

from activities.api.transport.base import Answer, BrokenAnswer, StaleConnection

INFORMATIONAL = 200
"""Answers below this status are announcements; the real one follows (RFC 9110 section 15.2)."""


MAX_HEAD_BYTES = 65_536
"""What an answer holds beside its body: status line, headers, trailers. Servers bound a request's to a quarter."""

CHUNK_HEAD_BYTES = 32
"""What may stand about each chunk of a body besides (RFC 9112 section 7.1): its size, with extensions and line ends."""


Ended = Callable[[Answer | Exception], None]
"""Takes the answer, or what a `NoAnswer` holds in its place. Must not raise."""


class ApiConnection(asyncio.Protocol):
    """A connection that carries one call at a time. `usable` tells whether it can carry another."""

    def __init__(self, most_body_bytes: int) -> None:
        self._most_body_bytes = most_body_bytes
        self._transport: asyncio.Transport | None = None
        self._ended: Ended | None = None
        self._outcome: Answer | Exception | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after: str | None = None
        self._used = False
        self._heard_bytes = 0
        self.usable = False
        self.idle_since = 0.0
        self.retired_at = 0.0
        """From when on it carries no further call. For the pool to keep, as `idle_since` is."""
        self._begin()

    def call(self, request: bytes, ended: Ended) -> None:
        """Send `request`; `ended` is called once, never before this returns."""
        assert self._transport is not None, "connect first"  # noqa: S101 - a caller's mistake
        self._begin()
        self._heard_bytes = 0
        self._outcome = None
        self._ended = ended
        self._transport.write(request)

    def fail(self, error: Exception) -> None:
        """End the call under way with `error`, and the connection with it."""
        self._take(error)
        self._deliver()

    def close(self) -> None:
        """Close the connection at once; what is under way on it is lost."""
        self.usable = False
        self._ended = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport. Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """Feed the parser. Called by the loop."""
        if self._ended is None:
            self.close()  # an answer to nothing: the other side is out of step
            return
        self._heard_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._take(BrokenAnswer("the API wants to speak another protocol"))
        except httptools.HttpParserError as error:
            self._take(BrokenAnswer(f"the answer is no HTTP: {error}"))
        if self._heard_bytes > MAX_HEAD_BYTES and self._beside_body_bytes() > MAX_HEAD_BYTES:
            self._take(BrokenAnswer("the headers or the trailers of the answer do not end"))
        if self._outcome is not None:
            self._deliver()

    def eof_received(self) -> None:
        """Close too: nobody answers half of a conversation. Called by the loop."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call under way. Called by the loop."""
        self.usable = False
        if self._in_body and not self._framed and exc is None:
            self._complete()
        elif self._in_body:
            self._take(BrokenAnswer("the answer was cut short"))
        elif self._used and not self._heard_bytes:
            self._take(StaleConnection("the API closed a connection that had been idle"))
        elif isinstance(exc, ssl.SSLError):
            self._take(exc)  # in TLS 1.3 the server looks at our certificate when we take the handshake for done
        else:
            self._take(ConnectionResetError("the API closed the connection without an answer"))
        self._deliver()

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        """Distrust a connection that goes on after its answer: the other side is out of step."""
        if self._outcome is not None:
            self.usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that matter; trailers do not (RFC 9110 section 6.5.1)."""
        if self._in_body:
            return
        lowered = name.lower()
        if lowered in {b"content-length", b"transfer-encoding"}:
            self._framed = True
        elif lowered == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif lowered == b"content-encoding":
            self._encoding = value.decode("latin-1").lower()

    def on_headers_complete(self) -> None:
        """Start on the body."""
        self._in_body = True

    def on_chunk_header(self) -> None:
        """Count the chunks."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """Collect the body, up to the cap."""
        self._body_bytes += len(body)
        if self._body_bytes > self._most_body_bytes:
            self.usable = False
            self._keep(None)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Note that the answer is whole."""
        if self._parser.get_status_code() < INFORMATIONAL:
            self._begin()
            return
        self._used = True
        self.usable = self.usable and self._outcome is None and self._parser.should_keep_alive()
        self._complete()

    def _beside_body_bytes(self) -> int:
        return self._heard_bytes - self._body_bytes - CHUNK_HEAD_BYTES * self._chunks

    def _complete(self) -> None:
        self._keep(self._body[0] if len(self._body) == 1 else b"".join(self._body))

    def _keep(self, body: bytes | None) -> None:
        if self._outcome is None:
            self._outcome = Answer(self._parser.get_status_code(), body, self._retry_after, self._encoding)

    def _take(self, error: Exception) -> None:
        self.usable = False
        if self._outcome is None:
            self._outcome = error

    def _deliver(self) -> None:
        """Hand the outcome over, once the parser is at rest: the next call may begin on this connection right away."""
        ended, outcome = self._ended, self._outcome
        if not self.usable:
            self.close()
        self._ended = None
        if ended is not None and outcome is not None:
            ended(outcome)

    def _begin(self) -> None:
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._chunks = 0
        self._in_body = False
        self._framed = False
        self._retry_after = None
        self._encoding = ""
