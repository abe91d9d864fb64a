"""An API over a real socket that answers as a function says, and keeps what it was asked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """One request. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answered = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]
"""Status, body, and further headers."""


@dataclass
class DescribedApi:
    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def described_api(answer: Callable[[Asked], Answered], *, tls: ssl.SSLContext | None = None) -> Iterator[DescribedApi]:
    """Serve `answer` in a thread until the block ends, with `tls` over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = Asked(self.command, self.path, {name.lower(): each for name, each in self.headers.items()}, body)
            api.asked.append(asked)
            status, content, *more = answer(asked)
            self.send_response(status)
            for name, value in {**(more[0] if more else {}), "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Write nothing to standard error."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Take no note of clients that have gone."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    api = DescribedApi(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
