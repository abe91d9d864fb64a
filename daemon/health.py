"""What a service says of itself over HTTP, where BATCH_HEALTH_ADDRESS says so: to probes, and to Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from workflows.errors import SettingsError

READ_TIMEOUT_S = 5.0
PLAIN = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Where the pages come from.

    `standing_still` says, a sentence each, what only a new start can mend; `metrics` is in the format of Prometheus.
    """

    standing_still: Callable[[], Sequence[str]]
    is_ready: Callable[[], bool]
    metrics: Callable[[], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def health_endpoint(address: str, answers: Answers) -> AsyncIterator[None]:
    """Answer while the block lasts: `/livez` and `/readyz` with 200 or 503, `/metrics` with the numbers.

    `/healthz` is an older name of `/livez`. An empty `address` (IP:PORT otherwise) means: no endpoint.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    if not address:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(READ_TIMEOUT_S):
                request = await reader.readline()
                while (await reader.readline()).strip():
                    pass
                target = b"".join(request.split(b" ")[1:2]).partition(b"?")[0]
                writer.write(await _response(target, answers))
                await writer.drain()
        writer.close()

    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port))
    except OSError as error:
        raise SettingsError(f"BATCH_HEALTH_ADDRESS: {address} cannot be listened on: {error.strerror}") from error
    async with server:
        yield


async def _response(target: bytes, answers: Answers) -> bytes:
    if target in {b"/livez", b"/healthz"}:
        still = answers.standing_still()
        return _probed("\n".join(still) or "ok", holds=not still)
    if target == b"/readyz":
        is_ready = answers.is_ready()
        return _probed("ready" if is_ready else "not ready", holds=is_ready)
    if target != b"/metrics":
        return _encoded(HTTPStatus.NOT_FOUND, b"/livez, /readyz or /metrics\n")
    try:
        return _encoded(HTTPStatus.OK, await answers.metrics(), METRICS)
    except Exception:  # whatever it is, a scrape must not end the service, and probes go on
        logger.exception("metrics.failed")
        return _encoded(HTTPStatus.INTERNAL_SERVER_ERROR, b"the log says why\n")


def _probed(said: str, *, holds: bool) -> bytes:
    return _encoded(HTTPStatus.OK if holds else HTTPStatus.SERVICE_UNAVAILABLE, f"{said}\n".encode())


def _encoded(status: HTTPStatus, body: bytes, content_type: str = PLAIN) -> bytes:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
