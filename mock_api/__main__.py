"""`python -m mock_api`: serve the mock until SIGTERM or SIGINT. Exit codes: 0 stopped, 2 bad settings or port taken."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn
import uvloop

from mock_api.app import build_app
from mock_api.settings import BadSettings, MockSettings, load_mock_settings

STOP_S = 1


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn's own way ends the process by the signal instead of with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def main(program: str = "python -m mock_api") -> None:
    """Run the mock, by the name it was called, and end the process with its exit code."""
    parsed = build_parser(program).parse_args()
    try:
        settings = load_mock_settings()
        listening = _listen(settings)
    except BadSettings as error:
        sys.stderr.write(f"mock API: {error}\n")
        sys.exit(2)
    uvloop.run(_serve(settings, listening, exit_with_parent=parsed.exit_with_parent))


def _listen(settings: MockSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=2_048)
    except OSError as error:
        raise BadSettings(
            f"port {settings.port} on {settings.host} cannot be listened on: {error.strerror}; set MOCK_API_PORT"
        ) from error


async def _serve(settings: MockSettings, listening: socket.socket, *, exit_with_parent: bool) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a dropped connection is no error here
    config = uvicorn.Config(
        build_app(settings), log_config=None, access_log=False, timeout_graceful_shutdown=STOP_S, lifespan="off"
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, server.handle_exit, each, None)
    if exit_with_parent:
        loop.add_reader(sys.stdin, _end_with_parent, server)
    loop.call_later(0, _announce, settings, listening.getsockname()[1])
    await server.serve(sockets=[listening])


def _announce(settings: MockSettings, port: int) -> None:
    latency = f"{settings.latency_min_ms:g}-{settings.latency_max_ms:g} ms"
    sys.stderr.write(f"mock API on http://{settings.host}:{port} ({settings.failure_rate:.0%} failures, {latency})\n")
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _end_with_parent(server: uvicorn.Server) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        server.handle_exit(signal.SIGTERM, None)


def build_parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the program, called by this name."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="A mock of the enrichment API. POST /enrich answers a row with enriched and region. Other faces: "
        "GET /people, GET /geocode, POST /bulk_match, POST /chat, POST /oauth/token, POST /secured/enrich.",
        epilog="Settings: MOCK_API_HOST, _PORT (3001; 0: a free one), _FAILURE_RATE (0.1), _LATENCY_MIN_MS (200), "
        "_LATENCY_MAX_MS (500), _SEED (random), _KNEE (0: none), _KNEE_KIND (slow or reject); "
        "of the other faces: _KEY (any), _CREDITS (no end), _QUOTA (no end), _MISS_RATE (0.1), _CLIENT_ID (batchd), "
        "_CLIENT_SECRET (mock-secret), _TOKEN_EXPIRES_IN_S (3600). "
        "Faults on demand: POST /faults, DELETE /faults. What was called: GET /calls. Keys, secrets and credits at "
        "run time: PUT /account.",
    )
    parser.add_argument("--exit-with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
