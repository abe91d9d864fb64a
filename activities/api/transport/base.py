"""What every transport is: a request goes out, and what came of it is handed to a callback.

A transport knows bytes, sockets and time. What an answer means for a row stands in `replies.py`, for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import uniform
from typing import Protocol, TypeVar

KEEPALIVE_S = 4.0
"""Idle connections are closed after this: Node.js and uvicorn close theirs after 5 seconds, others later."""

CONNECTION_AGE_S = 60.0
"""After about this a connection carries no further call, so calls follow the API's name to another address."""

AGE_JITTER = 0.25
"""Connections that were made together are not all made again together."""

T = TypeVar("T")


@dataclass(slots=True)
class Request:
    """One call. Not frozen, which would cost more than everything else about it.

    `target` is what follows the host in the address: path and query. `headers` are those of this call alone; the fixed
    ones are the transport's. `key` is the idempotency key, "" for none. With `anew` the call takes a new connection,
    which one after a `StaleConnection` needs: other calls keep bringing back connections that were used before, and
    each may end the same way.
    """

    method: bytes
    target: bytes = field(repr=False)
    body: bytes = field(repr=False)
    key: str = ""
    anew: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(slots=True)
class Answer:
    """A whole answer, as it came. `body` is None where it was too large to be read.

    `encoding` is the Content-Encoding of the body in lower case, "" for none. `latency_ms` is that of the whole call.
    `date` is the Date header, "" for none, and where the fast transport had no need of it.
    """

    status: int
    body: bytes | None = field(repr=False)
    retry_after: str | None
    encoding: str
    latency_ms: float = 0.0
    date: str = ""


@dataclass(slots=True)
class NoAnswer:
    """There was no answer, or none that can be read.

    `error` is an OSError (a TimeoutError, an SSLError, a gaierror, a ProxyRefused, a StaleConnection) or a
    BrokenAnswer. `sent` is False where the API never saw the call.
    """

    error: Exception
    sent: bool = True


class BrokenAnswer(Exception):
    """What came back is no HTTP, or was cut short."""


class ProxyRefused(ConnectionError):
    """The proxy carries no call of ours: it asks for a user and a password, or forbids the address."""


class StaleConnection(ConnectionError):
    """A connection that had been used before was closed before a byte of the answer came.

    Most likely the server closed it while it was idle, just as the call went out.
    """


Answered = Callable[[Answer | NoAnswer], None]
"""Takes what came of a request. Must not raise."""


class Transport(Protocol):
    """Calls to the host of one address. Redirects are never followed, and no call takes longer than `timeout_s`."""

    def begin(self, request: Request, answered: Answered) -> None:
        """Send `request`; `answered` is called once, never before this returns, and not at all after `aclose`.

        Raises:
            ValueError: a header cannot be sent; `answered` is not called.
        """

    async def aclose(self) -> None:
        """Close all connections at once; what is under way on them is lost."""


async def awaited(begin: Callable[[Callable[[T], None]], None]) -> T:
    """Return what `begin` hands to its callback: for who makes one call now and then, and does not count the cost."""
    waiting: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    begin(lambda outcome: None if waiting.done() else waiting.set_result(outcome))
    return await waiting


def connection_age_s() -> float:
    """Return for how long one connection may carry calls."""
    return CONNECTION_AGE_S * uniform(1 - AGE_JITTER, 1 + AGE_JITTER)  # noqa: S311 - jitter
