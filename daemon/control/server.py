"""The socket of a running service. One request and one answer a connection, each a line of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from daemon.control.sockets import listening_socket, remove

READ_TIMEOUT_S = 5.0
CREDENTIALS = struct.Struct("3i")
"""Process, user and group of who is at the other end (SO_PEERCRED, unix(7))."""

WE_REMOVE_IT: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Since 3.13 the loop looks for the socket at its address, which names a descriptor that is another file by then."""

Answering = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def control_socket(state_dir: Path, answering: Answering) -> AsyncIterator[None]:
    """Answer requests of this user and of root while the block lasts.

    A state folder whose file system has no sockets is no error: the log says that nobody can speak to this service.
    """
    try:
        listener, name = await asyncio.to_thread(listening_socket, state_dir)
    except OSError as error:
        fields = {"state_dir": str(state_dir), "why": error.strerror or str(error), "todo": "reload with SIGHUP"}
        logger.warning("control.unavailable", extra={"fields": fields})
        yield
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            await _answer(reader, writer, answering)
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=listener, **WE_REMOVE_IT)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(remove, state_dir, name)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: Answering) -> None:
    async with asyncio.timeout(READ_TIMEOUT_S):
        request = json.loads(await reader.readline())
    if not isinstance(request, dict):
        return
    if may_ask(peer_uid(writer.get_extra_info("socket").fileno())):
        answer = await answering(request)
    else:
        answer = {"error": "answers its own user and root alone"}
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


def peer_uid(connection: int) -> int:
    """Return the user at the other end of a connection, a file descriptor."""
    with socket.socket(fileno=os.dup(connection)) as peer:
        content = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    uid: int = CREDENTIALS.unpack(content)[1]
    return uid


def may_ask(uid: int) -> bool:
    """Return whether a user may steer this service: its own, and root."""
    return uid in {os.geteuid(), 0}
