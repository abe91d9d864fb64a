"""An API over a real socket that answers each row as a script says, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

Answer = Callable[[str, int], int]
"""Takes the key of a row and how often it came, from 1; returns the status of the answer, 0 for none at all."""


class ScriptedApi:
    def __init__(self, answer: Answer, *, one_answer: bool, body: bytes) -> None:
        self.answer = answer
        self.body = body
        self.asked = Counter[str]()
        self.url = ""
        self._one_answer = one_answer
        self._connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    @property
    def open_connections(self) -> int:
        """How many connections have not ended."""
        return sum(not each.done() for each in self._connections if each)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[asyncio.current_task()] = writer
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not self._one_answer or not writer.transport.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(int(_header(head, "content-length")))
                status = self._status(_header(head, "idempotency-key", ""))
                if not status:
                    break
                body = self.body
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
                if self._one_answer:
                    writer.close()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def close(self) -> None:
        for writer in self._connections.values():
            writer.close()
        await asyncio.gather(*(each for each in self._connections if each), return_exceptions=True)

    def _status(self, key: str) -> int:
        self.asked[key] += 1
        return self.answer(key, self.asked[key])


def _header(head: str, name: str, missing: str = "0") -> str:
    found = (line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith(f"{name}:"))
    return next(found, missing)


@asynccontextmanager
async def scripted_api(
    answer: Answer,
    *,
    one_answer: bool = False,
    body: bytes = b'{"region":"NA"}',
    address: tuple[str, int] = ("127.0.0.1", 0),
) -> AsyncIterator[ScriptedApi]:
    """Serve `answer` until the block ends; with `one_answer`, close each connection after one without saying so."""
    api = ScriptedApi(answer, one_answer=one_answer, body=body)
    server = await asyncio.start_server(api.connected, *address)
    async with server:
        api.url = "http://{}:{}/enrich".format(*server.sockets[0].getsockname())
        try:
            yield api
        finally:
            await api.close()
