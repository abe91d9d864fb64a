"""`/healthz` and `/readyz` for probes of systemd, containers and load balancers, where BATCH_HEALTH_ADDRESS says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from workflows.errors import SettingsError

READ_TIMEOUT_S = 5.0


@contextlib.asynccontextmanager
async def health_endpoint(address: str, is_ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Answer `/healthz` with 200 while the block lasts, and `/readyz` with 200 or 503 as `is_ready` says.

    An empty `address` (IP:PORT otherwise) means: no endpoint.

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
                writer.write(_response(request.split(b" ")[1:2], ready=is_ready()))
                await writer.drain()
        writer.close()

    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port))
    except OSError as error:
        raise SettingsError(f"BATCH_HEALTH_ADDRESS: {address} cannot be listened on: {error.strerror}") from error
    async with server:
        yield


def _response(target: list[bytes], *, ready: bool) -> bytes:
    if target == [b"/healthz"]:
        status, body = b"200 OK", b"ok\n"
    elif target == [b"/readyz"]:
        status, body = (b"200 OK", b"ready\n") if ready else (b"503 Service Unavailable", b"not ready\n")
    else:
        status, body = b"404 Not Found", b"/healthz or /readyz\n"
    return b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )
