"""What a probe is told, over a socket."""

from __future__ import annotations

import asyncio
import socket

from daemon.health import Answers, health_endpoint


async def got(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_a_service_that_stands_still_is_not_alive_and_says_what_does() -> None:
    still: list[str] = []
    ready = [True]

    async def metrics() -> bytes:
        return b"batchd_build_info 1\n"

    answers = Answers(standing_still=lambda: still, is_ready=lambda: ready[0], metrics=metrics)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with health_endpoint(f"127.0.0.1:{port}", answers):
        assert await got(port, "/livez") == (200, "ok\n")
        assert await got(port, "/readyz") == (200, "ready\n")
        still += ["no scan of any inbox comes to an end", "worker-1 does not become ready"]
        ready[0] = False
        assert await got(port, "/livez") == (503, "\n".join(still) + "\n")
        assert await got(port, "/healthz") == await got(port, "/livez")
        assert await got(port, "/readyz") == (503, "not ready\n")
        assert await got(port, "/metrics") == (200, "batchd_build_info 1\n")
