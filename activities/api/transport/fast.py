"""The fast transport: HTTP/1.1 with everything prepared, over a pool of connections of our own.

Thousands of calls a second go this way, so it takes the outcome to a callback and knows neither proxies nor HTTP/2.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from functools import partial

from activities.api.options import ApiOptions
from activities.api.transport import base
from activities.api.transport.base import Answer, Answered, NoAnswer, Request, StaleConnection
from activities.api.transport.connection import ApiConnection
from activities.api.transport.headers import BODY_METHODS, fixed_headers, header_lines, origin_of, without_body
from activities.api.transport.tls import tls_context
from activities.disk.failpoints import failpoint

LONGEST_OVERTIME_S = 0.1
"""How much later than `timeout_s` a call may be ended."""


class FastTransport:
    """Connections to the host of one address. The scheduler limits how many are used at once."""

    def __init__(self, url: str, options: ApiOptions) -> None:
        self._origin = origin_of(url)
        self._options = options
        headers = fixed_headers(url, options)
        self._head = header_lines(headers)
        self._head_without_body = header_lines(without_body(headers))
        self._tls = tls_context(options) if self._origin.scheme == "https" else None
        self._idle: list[ApiConnection] = []
        self._busy: dict[ApiConnection, float] = {}
        """Connections with a call under way, and when its time is up."""
        self._connecting: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, request: Request, answered: Answered) -> None:
        """Send `request`, see `Transport.begin`."""
        wire = self._wire(request)
        connection = None if request.anew else self._take()
        if connection is None:
            self._start(self._connect(wire, answered))
        else:
            self._call(connection, wire, time.perf_counter(), answered)

    async def aclose(self) -> None:
        """Close all connections at once, see `Transport.aclose`."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._connecting:
            task.cancel()
        for connection in self._busy:
            connection.close()
        self._busy.clear()
        self._close_idle()

    def _wire(self, request: Request) -> bytes:
        """Return the whole request as it goes out. In one piece: each part that is put together first costs time."""
        method, target, body = request.method, request.target, request.body
        own = header_lines(request.headers) if request.headers else b""
        if request.key:
            own = b"Idempotency-Key: %b\r\n%b" % (request.key.encode("ascii"), own)
        if body or method in BODY_METHODS:
            parts = (method, target, self._head, own, len(body), body)
            return b"%b %b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % parts
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, target, self._head_without_body, own)

    def _close_idle(self, *, idle_until: float = float("inf")) -> None:
        """Close the connections that carried their last call before that moment."""
        closing = [each for each in self._idle if each.idle_since < idle_until]
        self._idle = self._idle[len(closing) :]  # the last to become idle is the last in the list
        for connection in closing:
            connection.close()

    def _take(self) -> ApiConnection | None:
        oldest = time.perf_counter() - base.KEEPALIVE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    def _start(self, connecting: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, wire: bytes, answered: Answered) -> None:
        _, host, port, _ = self._origin
        make = partial(ApiConnection, self._options.max_body_bytes)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._options.timeout_s):
                failpoint("connect.before")
                _, connection = await asyncio.get_running_loop().create_connection(make, host, port, ssl=self._tls)
        except Exception as error:  # noqa: BLE001 - whatever it is, a call that is not answered would never end
            if isinstance(error, TimeoutError):
                error = TimeoutError(f"no connection to {host} within {self._options.timeout_s:g} s")
            answered(NoAnswer(error, sent=False))
        else:
            connection.retired_at = started + base.connection_age_s()
            self._call(connection, wire, started, answered)

    def _call(self, connection: ApiConnection, wire: bytes, started: float, answered: Answered) -> None:
        self._busy[connection] = started + self._options.timeout_s
        if self._timer is None:
            self._watch()
        connection.call(wire, partial(self._ended, connection, started, answered))
        failpoint("call.sent")

    def _ended(
        self, connection: ApiConnection, started: float, answered: Answered, outcome: Answer | Exception
    ) -> None:
        now = time.perf_counter()
        del self._busy[connection]
        if connection.usable and now < connection.retired_at:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            connection.close()
        if isinstance(outcome, Answer):
            outcome.latency_ms = (now - started) * 1_000
            answered(outcome)
        elif isinstance(outcome, StaleConnection):
            self._close_idle()  # what the server did to one it has most likely done to all
            answered(NoAnswer(outcome, sent=False))
        else:
            answered(NoAnswer(outcome))

    def _watch(self) -> None:
        """End what is overdue, and look again soon: one timer for all costs less than one for each."""
        now = time.perf_counter()
        for connection in [each for each, deadline in self._busy.items() if deadline <= now]:
            connection.fail(TimeoutError())
        self._close_idle(idle_until=now - base.KEEPALIVE_S)
        look_again_s = min(LONGEST_OVERTIME_S, self._options.timeout_s / 10)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(look_again_s, self._watch) if self._busy or self._idle else None
