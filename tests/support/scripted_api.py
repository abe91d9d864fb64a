"""An API over a real socket that answers each row as a script says, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

Answer = Callable[[str, int], int]
"""Takes the key of a row and how often it came, from 1; returns the status of the answer, 0 for none at all."""


class ScriptedApi:
    def __init__(
        self, answer: Answer, *, one_answer: bool = False, body: bytes = b"{}", retry_after_s: int = 0
    ) -> None:
        self.answer = answer
        self.body = body
        self.retry_after_s = retry_after_s
        """Sent with each answer of 429 or 503, where it is not 0."""
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
                rest = (
                    b"Retry-After: %d\r\n" % self.retry_after_s if status in {429, 503} and self.retry_after_s else b""
                )
                writer.write(b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, rest, len(body), body))
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
    retry_after_s: int = 0,
) -> AsyncIterator[ScriptedApi]:
    """Serve `answer` until the block ends; with `one_answer`, close each connection after one without saying so."""
    api = ScriptedApi(answer, one_answer=one_answer, body=body, retry_after_s=retry_after_s)
    server = await asyncio.start_server(api.connected, *address)
    async with server:
        api.url = "http://{}:{}/enrich".format(*server.sockets[0].getsockname())
        try:
            yield api
        finally:
            await api.close()


@contextmanager
def scripted_api_beside(answer: Answer, *, retry_after_s: int = 0) -> Iterator[ScriptedApi]:
    """Serve `answer` in a thread, for a test that is no coroutine."""
    found: list[tuple[ScriptedApi, asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def serve() -> None:
        async with scripted_api(answer, retry_after_s=retry_after_s) as api:
            over = asyncio.Event()
            found.append((api, asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20), "the scripted API did not start"
    [(api, loop, over)] = found
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
