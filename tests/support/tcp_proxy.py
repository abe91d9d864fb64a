"""A TCP proxy between batchd and its Temporal server, or an API, that can cut, stall and swallow replies."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class TcpProxy:
    """Forwards bytes both ways, until told otherwise. Runs in a thread with an event loop of its own."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._replies = self._open = self._flows = True
        self.address = ""

    def cut(self) -> None:
        """Close every connection and refuse new ones until `mend`."""
        self._open = False
        self._loop.call_soon_threadsafe(self._close_all)

    def mend(self) -> None:
        """Forward everything again; a connection that has lost a reply cannot go on, and is closed."""
        if not self._replies:
            self._loop.call_soon_threadsafe(self._close_all)
        self._open = self._replies = self._flows = True

    def stall(self) -> None:
        """Keep every connection open and forward nothing, until `mend`."""
        self._flows = False

    def half_close(self) -> None:
        """End the direction of the replies of every connection there is; requests go on."""
        self._loop.call_soon_threadsafe(self._end_replies)

    def swallow_replies(self) -> None:
        """Let requests through and drop what the server answers, until `mend`."""
        self._replies = False

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        started.set()
        await stop.wait()
        self._close_all()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.close()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, up_writer}
        self._clients.add(writer)
        await asyncio.gather(
            self._forward(reader, up_writer, replies=False), self._forward(up_reader, writer, replies=True)
        )

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                while not self._flows:
                    await asyncio.sleep(0.02)
                if replies and not self._replies:
                    continue
                writer.write(chunk)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
        self._clients.discard(writer)

    def _end_replies(self) -> None:
        for writer in self._clients:
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()

    def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._clients.clear()


@contextlib.contextmanager
def tcp_proxy(target: str) -> Iterator[TcpProxy]:
    """Run a proxy in front of `target`, `host:port`."""
    proxy = TcpProxy(target)
    loop = proxy._loop
    started, stop = threading.Event(), asyncio.Event()

    def run() -> None:
        loop.run_until_complete(proxy.serve(started, stop))
        loop.run_until_complete(_end_tasks())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(5)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


async def _end_tasks() -> None:
    pending = asyncio.all_tasks() - {asyncio.current_task()}
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
