"""What systemd hears of a service over the socket that it names."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installation import Installation, users

Make = Callable[..., Installation]


class Manager:
    """Takes the place of systemd at the notify socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(self.path)
        self._channel.settimeout(30)

    def hears(self, wanted: str) -> str:
        """Return the first message from now on that has this in it."""
        while True:
            message = self._channel.recv(4_096).decode()
            if wanted in message:
                return message

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_systemd_hears_of_the_start_of_the_counts_and_of_the_stop(installation: Make, manager: Manager) -> None:
    site = installation(BATCH_SETTLE_S="0.2")
    site.mock_api(LATENCY_MIN_MS="300", LATENCY_MAX_MS="300")
    service = site.batchd(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="800000", BATCH_API_CONCURRENCY="1")
    assert manager.hears("STATUS=starting").startswith("STATUS=starting\nEXTEND_TIMEOUT_USEC=")
    ready = manager.hears("READY=1")
    assert ready == "READY=1\nSTATUS=0 batches under way, 0 files waiting; 1 of 1 worker ready"
    site.drop("users.csv", users(20))
    assert "STATUS=1 batch under way" in manager.hears("1 batch under way")
    assert "WATCHDOG=1" in manager.hears("WATCHDOG=1")
    assert service.stop() == 0
    assert manager.hears("STOPPING=1").splitlines()[:2] == [
        "STOPPING=1",
        "STATUS=stopping: calls in flight are finished",
    ]


@pytest.mark.parametrize("half", ["watch", "work"])
def test_each_half_gives_signs_of_its_own(installation: Make, manager: Manager, half: str) -> None:
    site = installation()
    site.temporal()
    service = site.batchd(half, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="800000")
    manager.hears("READY=1")
    manager.hears("WATCHDOG=1")
    assert service.stop() == 0
    manager.hears("STOPPING=1")


@pytest.mark.parametrize(("half", "workers"), [("watch", "1"), ("work", "1"), ("work", "2")])
def test_each_half_says_that_temporal_does_not_answer(
    installation: Make, manager: Manager, half: str, workers: str
) -> None:
    site = installation(BATCH_WORKERS=workers)
    server = site.temporal()
    service = site.batchd(half, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="800000")
    manager.hears("READY=1")
    server.kill()
    assert "STATUS=Temporal does not answer" in manager.hears("Temporal")
    assert manager.hears("WATCHDOG=1")
    service.kill()


def test_the_workers_do_not_speak_for_the_service(installation: Make, manager: Manager) -> None:
    site = installation(BATCH_WORKERS="2")
    service = site.batchd(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="60000000", WATCHDOG_PID="1")
    manager.hears("READY=1")
    for pid, _ in site.children(service.pid):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"NOTIFY_SOCKET" not in environment
        assert b"WATCHDOG" not in environment


def test_why_a_start_fails_stands_in_the_status(installation: Make, manager: Manager) -> None:
    site = installation(BATCH_API_TOKEN_FILE="/nowhere/token")  # noqa: S106 - a path
    service = site.batchd("run", NOTIFY_SOCKET=manager.path, ready=False)
    assert "BATCH_API_TOKEN_FILE" in manager.hears("token")
    assert service.wait() == 2
