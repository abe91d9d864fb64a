"""A server of one API over a real socket, for the pages of docs/recipes."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

SECRET = "canary-5f1d83c07a"  # noqa: S105 - what must be found nowhere


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `has_certificate`: the client showed one that is accepted."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    has_certificate: bool = False

    def json(self) -> Any:
        """Return the body, None where it is no JSON or does not say that it is."""
        if self.headers.get("content-type") != "application/json":
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. `body` is written as JSON, but for bytes."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body as it goes out."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answers = Callable[[Asked, Answered | None], Answered]
"""Takes a request, and what a good one gets instead of its answer while the API is out of quota or down."""


@dataclass(frozen=True, slots=True)
class RecipeApi:
    """How one API answers. `quota_means` is the outcome of a page that meets the quota, and the word in its detail."""

    answers: Answers
    quota: Answered
    quota_means: tuple[Literal["api_down", "api_refused"], str]
    down: Answered
    secret: str = SECRET


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, encrypted where the API is."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        under = request.dup()
        under.settimeout(5)
        with under, self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as session:
            try:
                session.do_handshake()
            except ssl.SSLError:
                under.shutdown(socket.SHUT_WR)
                while under.recv(65_536):  # closed with bytes unread, it would reset the connection and lose the alert
                    pass
            else:
                super().finish_request(session, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away, or were refused."""


class RecipeServer:
    """Serves one API over a real socket. `instead` is what good requests get while it is set."""

    def __init__(self, api: RecipeApi, tls: ssl.SSLContext | None) -> None:
        self.api = api
        self.instead: Answered | None = None
        self.asked: list[Asked] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.tls = tls
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                asked = _read(self)
                server.asked.append(asked)
                answer = server.api.answers(asked, server.instead)
                content = answer.content()
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        return Handler


def _read(handler: BaseHTTPRequestHandler) -> Asked:
    parts = urlsplit(handler.path)
    headers = {name.lower(): value for name, value in handler.headers.items()}
    body = handler.rfile.read(int(headers.get("content-length", "0")))
    connection = handler.connection
    has_certificate = isinstance(connection, ssl.SSLSocket) and bool(connection.getpeercert())
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Asked(handler.command, unquote(parts.path), query, headers, body, has_certificate)


@contextmanager
def recipe_server(api: RecipeApi, tls: ssl.SSLContext | None = None) -> Iterator[RecipeServer]:
    """Serve `api` until the block ends."""
    server = RecipeServer(api, tls)
    try:
        yield server
    finally:
        server.close()
