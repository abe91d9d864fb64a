"""`/healthz` and `/readyz`: what a probe is told, and when."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from installation import Installation, Process, eventually, free_port
from probes import probed

Make = Callable[..., Installation]


def kill_worker(site: Installation, service: Process) -> None:
    worker = next(pid for pid, line in site.children(service.pid) if b"--process-of" in line)
    os.kill(worker, signal.SIGKILL)


def test_the_service_is_not_ready_while_its_worker_keeps_ending_and_is_again_when_it_stays(installation: Make) -> None:
    port = free_port()
    site = installation(BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}")
    token = site.root / "token"
    token.write_text("hunter2\n")
    site.set(BATCH_API_TOKEN_FILE=str(token))
    service = site.batchd()
    assert (probed(port, "/healthz"), probed(port, "/readyz")) == (200, 200)

    token.write_text("")
    kill_worker(site, service)
    eventually(lambda: len(service.logged("child.ended")) >= 3, "the worker ends again and again")
    assert (probed(port, "/healthz"), probed(port, "/readyz")) == (200, 503)
    assert "is empty" in service.logged("child.ended")[-1]["said"]
    assert service.running(), "a worker that was ready once is started again"

    token.write_text("hunter2\n")
    eventually(lambda: probed(port, "/readyz") == 200, "the service is ready again")


def test_the_service_is_not_ready_while_its_server_is_gone(installation: Make) -> None:
    port = free_port()
    site = installation(BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}")
    service = site.batchd()
    server = next(pid for pid, line in site.children(service.pid) if b"start-dev" in line)

    os.kill(server, signal.SIGKILL)

    eventually(lambda: probed(port, "/readyz") == 503, "the service is not ready", deadline_s=5)
    eventually(lambda: probed(port, "/readyz") == 200, "the service is ready again")
