"""The general transport: proxies and HTTP/2, over httpx2, at several times the cost of the fast one.

httpx2's own client is left out: it would follow redirects, keep cookies and read the environment. Its pool is used, one
level below (`lanes.py`). Connections are replaced all at once where they have grown old or may be stale.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from activities.api.options import ApiOptions
from activities.api.transport import base
from activities.api.transport.base import (
    Answer,
    Answered,
    BrokenAnswer,
    NoAnswer,
    ProxyRefused,
    Request,
    StaleConnection,
)
from activities.api.transport.headers import BODY_METHODS, fixed_headers, origin_of, raw_headers, without_body
from activities.api.transport.lanes import Lane, Lanes
from activities.api.transport.replies import public_address
from activities.api.transport.tls import tls_context
from activities.disk.failpoints import failpoint

SWITCHING_PROTOCOLS = 101
UNKNOWN_TO_PROXY = 407
"""Never an answer of the API (RFC 9110 section 15.5.8): the proxy asks for a user and a password, or for others."""

REFUSED_BY_PROXY = frozenset({str(UNKNOWN_TO_PROXY), "403"})
"""Answers to CONNECT that are the configuration's fault: waiting makes none of them better."""

OVERTIME = 1.05
"""A call is ended from outside this much later: a handshake that is cancelled leaves its socket to the collector."""

CLOSINGS = ("disconnected without", "ConnectionTerminated")
"""What httpx2 says of a connection that ended with nothing of an answer: closed, or by the GOAWAY of HTTP/2."""

CLOSED = "the API closed the connection without an answer"


class GeneralTransport:
    """Calls to the host of one address, perhaps through a proxy. The scheduler limits how many are made at once."""

    def __init__(self, url: str, options: ApiOptions, proxy: str = "") -> None:
        self._options = options
        self._proxy = proxy
        self._origin = origin_of(url)
        self._url = httpx2.URL(scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port)
        headers = fixed_headers(url, options)
        self._headers = raw_headers(headers)
        self._headers_without_body = raw_headers(without_body(headers))
        https = self._origin.scheme == "https"
        self._tls = tls_context(options) if https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._lanes: Lanes | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, request: Request, answered: Answered) -> None:
        """Send `request`, see `Transport.begin`."""
        headers = self._headers_of(request)
        self._start(self._call(request, headers, answered))

    async def aclose(self) -> None:
        """Close all connections at once, see `Transport.aclose`."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._retire()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _headers_of(self, request: Request) -> list[tuple[bytes, bytes]]:
        with_body = request.body or request.method in BODY_METHODS
        headers = list(self._headers if with_body else self._headers_without_body)
        if request.key:
            headers.append((b"Idempotency-Key", request.key.encode("ascii")))
        headers += raw_headers(request.headers)
        if with_body:
            headers.append((b"Content-Length", b"%d" % len(request.body)))
        return headers

    async def _call(self, request: Request, headers: list[tuple[bytes, bytes]], answered: Answered) -> None:
        started = time.perf_counter()
        lanes, progress = self._begun(anew=request.anew), _Progress()
        lane = lanes.take(anew=request.anew)
        try:
            async with asyncio.timeout(self._options.timeout_s * OVERTIME):
                outcome: Answer | NoAnswer = await self._answer(lane.http, request, headers, progress)
        except Exception as error:  # noqa: BLE001 - whatever it is, a call that is not answered would never end
            outcome = self._no_answer(error, progress)
        finally:
            self._given_back(lanes, lane)
        if isinstance(outcome, Answer):
            outcome.latency_ms = (time.perf_counter() - started) * 1_000
        elif isinstance(outcome.error, StaleConnection) and lanes is self._lanes:
            self._retire()  # what the server did to one it has most likely done to all
        answered(outcome)

    async def _answer(
        self,
        http: httpx2.AsyncHTTPTransport,
        request: Request,
        headers: list[tuple[bytes, bytes]],
        progress: _Progress,
    ) -> Answer:
        timeout = {"connect": self._options.timeout_s}
        extensions = {"target": request.target, "trace": progress.note, "timeout": timeout}
        stream = httpx2.ByteStream(request.body)
        sent = httpx2.Request(
            request.method.decode("ascii"), self._url, headers=headers, stream=stream, extensions=extensions
        )
        failpoint("connect.before")  # where there is none to go on with; the library does not say
        response = await http.handle_async_request(sent)
        failpoint("call.sent")
        if response.status_code == UNKNOWN_TO_PROXY and self._proxy:
            await response.aclose()
            raise httpx2.ProxyError(f"{UNKNOWN_TO_PROXY} {response.reason_phrase}")
        if response.status_code == SWITCHING_PROTOCOLS:
            await response.aclose()
            raise BrokenAnswer("the API wants to speak another protocol")
        progress.answering = True
        try:
            body = await self._body(response)
            if _goes_on(response):
                self._retire()
        finally:
            await response.aclose()
        encoding = response.headers.get("content-encoding", "").lower()
        retry_after, date = response.headers.get("retry-after"), response.headers.get("date", "")
        return Answer(response.status_code, body, retry_after, encoding, date=date)

    async def _body(self, response: httpx2.Response) -> bytes | None:
        """Return the body, None where it is over the cap; it is not read any further then."""
        body = bytearray()
        parts = cast("Any", cast("httpx2.AsyncByteStream", response.stream).__aiter__())
        async with aclosing(parts):
            async for part in parts:
                body += part
                if len(body) > self._options.max_body_bytes:
                    return None
        return bytes(body)

    def _no_answer(self, error: Exception, progress: _Progress) -> NoAnswer:
        """Return the same that the fast transport would have said."""
        if isinstance(error, (TimeoutError, httpx2.TimeoutException)):
            if progress.sent:
                return NoAnswer(TimeoutError())
            message = f"no connection to {self._origin.host} within {self._options.timeout_s:g} s"
            return NoAnswer(TimeoutError(message), sent=False)
        if isinstance(error, httpx2.ProxyError):
            status, _, _ = str(error).partition(" ")
            kind = ProxyRefused if status in REFUSED_BY_PROXY else ConnectionError
            return NoAnswer(kind(f"the proxy {public_address(self._proxy)} answered {error}"), sent=False)
        system_error = _system_error(error)
        if not progress.sent:
            return NoAnswer(system_error or ConnectionError(str(error) or CLOSED), sent=False)
        return self._cut_off(error, system_error, progress)

    def _cut_off(self, error: Exception, system_error: OSError | None, progress: _Progress) -> NoAnswer:
        """Return what it means that a connection ended with a call on it."""
        closed = isinstance(error, (httpx2.NetworkError, OSError)) or any(each in str(error) for each in CLOSINGS)
        if not closed and not progress.answering:
            return NoAnswer(BrokenAnswer(f"the answer is no HTTP: {error}"))
        if progress.answering:
            return NoAnswer(BrokenAnswer("the answer was cut short"))
        if not progress.connected:
            return NoAnswer(StaleConnection("the API closed a connection that had been idle"), sent=False)
        if isinstance(system_error, ssl.SSLError):
            return NoAnswer(system_error)  # in TLS 1.3 our certificate is looked at when we take the handshake for done
        return NoAnswer(ConnectionResetError(CLOSED))

    def _begun(self, *, anew: bool) -> Lanes:
        """Return where the next call finds its connection."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        lanes = self._lanes
        if lanes and (lanes.retired_at <= time.perf_counter() or (anew and not lanes.can_begin_anew())):
            self._retire()
        if self._lanes is None:
            self._lanes = Lanes(self._made, shared=self._options.http2)
        return self._lanes

    def _given_back(self, lanes: Lanes, lane: Lane) -> None:
        for each in lanes.give_back(lane):
            self._start(each.http.aclose())
        if lanes is not self._lanes:
            if not (lanes.calls and self._options.http2):
                self._start(lanes.aclose())
        elif not lanes.calls:
            self._idle_timer = asyncio.get_running_loop().call_later(base.KEEPALIVE_S, self._retire)

    def _retire(self) -> None:
        """Let the next call begin with a new connection, and close each old one once nothing is under way on it."""
        lanes, self._lanes = self._lanes, None
        if lanes is not None and not (lanes.calls and self._options.http2):
            self._start(lanes.aclose())

    def _made(self) -> httpx2.AsyncHTTPTransport:
        limits = httpx2.Limits(keepalive_expiry=base.KEEPALIVE_S)
        proxy = self._proxy or None
        return httpx2.AsyncHTTPTransport(
            verify=self._tls, trust_env=False, http2=self._options.http2, limits=limits, proxy=proxy
        )

    def _start(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(slots=True)
class _Progress:
    """How far a call came: over a connection of its own or one used before, sent or not, with the head of an answer."""

    connected: bool = False
    sent: bool = False
    answering: bool = False

    async def note(self, event: str, facts: dict[str, Any]) -> None:
        """Take an event of the pool."""
        if event.endswith("connect_tcp.started"):
            self.connected = True
        elif event.endswith("send_request_headers.started"):
            self.sent = facts["request"].method != b"CONNECT"


def _goes_on(response: httpx2.Response) -> bool:
    """Return whether more came than the answer: the next call would take it for its own, which httpx2 does not mind.

    The parser is where nobody is meant to look; where it is not found, so that this cannot be known, no connection is
    used again.
    """
    if response.extensions["http_version"] == b"HTTP/2":
        return False
    try:
        parser = cast("Any", response.stream)._httpcore_stream._stream._connection._h11_state  # noqa: SLF001
        return bool(parser.trailing_data[0])
    except AttributeError:
        return True


def _system_error(error: BaseException) -> OSError | None:
    """Return what the system or OpenSSL said, where an error of httpx2 goes back to that."""
    found: OSError | None = None
    cause: BaseException | None = error
    while cause is not None:
        found = cause if isinstance(cause, OSError) else found
        cause = cause.__cause__ or cause.__context__
    return found
