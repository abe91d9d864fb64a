"""The hot call: one POST with everything prepared, over a pool of connections.

Callers see a `Reply`, never an exception. Who makes thousands of calls a second takes it by callback (`begin_row`), who
makes one now and then awaits it (`post_row`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine
from functools import partial
from random import uniform
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

from activities.api.options import ApiOptions
from activities.api.replies import CERTIFICATE, Reply
from activities.api.transport.connection import Answer, ApiConnection, StaleConnection
from activities.api.transport.replies import reply_of, reply_without_answer, reply_without_connection

KEEPALIVE_S = 4.0
"""Idle connections are closed after this: Node.js and uvicorn close theirs after 5 seconds, others later."""

CONNECTION_AGE_S = 60.0
"""After about this a connection carries no further call, so calls follow the API's name to another address."""

AGE_JITTER = 0.25
"""Connections that were made together are not all made again together."""

LONGEST_OVERTIME_S = 0.1
"""How much later than `timeout_s` a call may be ended."""

SECOND_LOOK_S = 3.0
"""A certificate is wrong if it still is after this: a front that restarts may show another one for a moment."""

Replied = Callable[[Reply], None]
"""Takes the reply to a call. Must not raise."""


class HttpCalls:
    """Calls to one API. An async context manager."""

    def __init__(self, options: ApiOptions) -> None:
        self._row_calls = _Pool(options.url, options)
        self._bulk_calls = _Pool(options.bulk_url, options) if options.bulk_url else self._row_calls

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._row_calls.close()
        self._bulk_calls.close()

    def begin_row(self, body: bytes, key: str, replied: Replied, *, anew: bool = False) -> None:
        """Post one row under its idempotency key; `replied` is called once, never before this returns.

        `anew`: over a new connection, which a call after one over a stale connection needs: other calls keep bringing
        back connections that were used before, and each may end the same way.
        """
        self._row_calls.begin(b"Idempotency-Key: %b\r\n" % key.encode("ascii"), body, replied, anew=anew)

    def begin_bulk(self, body: bytes, replied: Replied) -> None:
        """Post many rows in one call; `replied` is called once, never before this returns."""
        self._bulk_calls.begin(b"", body, replied)

    async def post_row(self, body: bytes, key: str, *, anew: bool = False) -> Reply:
        """Post one row and wait for the reply. Never raises, but when cancelled."""
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.begin_row(body, key, lambda reply: None if waiting.done() else waiting.set_result(reply), anew=anew)
        return await waiting


class _Pool:
    """Connections to the host of one address. The scheduler limits how many are used at once."""

    def __init__(self, url: str, options: ApiOptions) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._host = self._parts.hostname or ""
        self._options = options
        self._head = _head(self._parts, options)
        self._tls = ssl.create_default_context() if self._parts.scheme == "https" else None
        self._idle: list[ApiConnection] = []
        self._busy: dict[ApiConnection, float] = {}
        """Connections with a call under way, and when its time is up."""
        self._connecting: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, headers: bytes, body: bytes, replied: Replied, *, anew: bool = False) -> None:
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, headers, len(body), body)
        connection = None if anew else self._take()
        if connection is None:
            self._start(self._connect(request, partial(self._replied_at_first, request, replied)))
        else:
            self._call(connection, request, time.perf_counter(), replied)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in self._connecting:
            task.cancel()
        for connection in self._busy:
            connection.close()
        self._busy.clear()
        self._close_idle()

    def _close_idle(self, *, idle_until: float = float("inf")) -> None:
        """Close the connections that carried their last call before that moment."""
        closing = [each for each in self._idle if each.idle_since < idle_until]
        self._idle = self._idle[len(closing) :]  # the last to become idle is the last in the list
        for connection in closing:
            connection.close()

    def _take(self) -> ApiConnection | None:
        oldest = time.perf_counter() - KEEPALIVE_S
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

    async def _connect(self, request: bytes, replied: Replied, *, after_s: float = 0.0) -> None:
        if after_s:
            await asyncio.sleep(after_s)
        port = self._parts.port or (443 if self._tls else 80)
        make = partial(ApiConnection, self._options.max_body_bytes)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._options.timeout_s):
                connecting = asyncio.get_running_loop().create_connection(make, self._host, port, ssl=self._tls)
                _, connection = await connecting
        except Exception as error:  # noqa: BLE001 - whatever it is, a call that is not replied to would never end
            if isinstance(error, TimeoutError):
                error = TimeoutError(f"no connection to {self._host} within {self._options.timeout_s:g} s")
            replied(reply_without_connection(error, self._url, self._options.timeout_s))
        else:
            age_s = CONNECTION_AGE_S * uniform(1 - AGE_JITTER, 1 + AGE_JITTER)  # noqa: S311 - jitter
            connection.retired_at = started + age_s
            self._call(connection, request, started, replied)

    def _replied_at_first(self, request: bytes, replied: Replied, reply: Reply) -> None:
        """Take the reply to the first call of a connection; where the certificate is at fault, look a second time."""
        if reply.status == CERTIFICATE:
            self._start(self._connect(request, replied, after_s=SECOND_LOOK_S))
        else:
            replied(reply)

    def _call(self, connection: ApiConnection, request: bytes, started: float, replied: Replied) -> None:
        self._busy[connection] = started + self._options.timeout_s
        if self._timer is None:
            self._watch()
        connection.call(request, partial(self._answered, connection, started, replied))

    def _answered(
        self, connection: ApiConnection, started: float, replied: Replied, outcome: Answer | Exception
    ) -> None:
        now = time.perf_counter()
        del self._busy[connection]
        if connection.usable and now < connection.retired_at:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            connection.close()
        if isinstance(outcome, Answer):
            replied(reply_of(outcome, (now - started) * 1_000, self._options))
            return
        if isinstance(outcome, StaleConnection):
            self._close_idle()  # what the server did to one it has most likely done to all
        replied(reply_without_answer(outcome, self._url, self._options.timeout_s))

    def _watch(self) -> None:
        """End what is overdue, and look again soon: one timer for all costs less than one for each."""
        now = time.perf_counter()
        for connection in [each for each, deadline in self._busy.items() if deadline <= now]:
            connection.fail(TimeoutError())
        self._close_idle(idle_until=now - KEEPALIVE_S)
        look_again_s = min(LONGEST_OVERTIME_S, self._options.timeout_s / 10)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(look_again_s, self._watch) if self._busy or self._idle else None


def _head(parts: SplitResult, options: ApiOptions) -> bytes:
    """Return the request up to the headers that differ from call to call."""
    host = parts.netloc.rpartition("@")[2]
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {options.user_agent}",
        "Content-Type: application/json",
        "Accept: application/json",
        # A compressed body could be a bomb; rows are small.
        "Accept-Encoding: identity",
    ]
    if options.token:
        lines.append(f"Authorization: Bearer {options.token}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("BATCH_API_URL and the token must not hold line breaks")
    return "\r\n".join([*lines, ""]).encode("latin-1")
