"""When the watchdog of systemd gets no sign, and what `systemctl status` shows."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.config.configuration import load_configuration
from daemon.intake.inbox_now import FILE_STATES, InboxNow
from daemon.notify import notify
from daemon.processes import signs_of_life
from daemon.processes.signs_of_life import SilentChildren
from daemon.service import Service
from daemon.status_line import inboxes_line
from daemon.watchdog import SERVER_SILENT_S, Signs, signs_for_systemd, watchdog_s

PATIENCE = {"WATCHDOG_USEC": "40000"}


@pytest.fixture
def signs() -> Signs:
    """A service that is ready and well."""
    made = Signs()
    made.is_ready = True
    made.runs_server = True
    made.inboxes = _part(stand_still=False, now=list)
    made.probe = _part(silent_s=0.4, answers=True)
    made.silent_children = _part(away=[])
    return made


def test_a_service_that_is_well_stands_still_nowhere(signs: Signs) -> None:
    assert signs.standing_still() == []


def test_no_sign_is_given_while_the_scans_of_all_inboxes_hang(signs: Signs) -> None:
    signs.inboxes = _part(stand_still=True, now=list)
    assert signs.standing_still() == ["no scan of any inbox comes to an end"]


def test_no_sign_is_given_while_the_server_of_this_service_does_not_answer(signs: Signs) -> None:
    signs.probe = _part(silent_s=SERVER_SILENT_S + 1, answers=False)
    assert signs.standing_still() == ["the Temporal server of this service has not answered for 31 s"]


async def test_a_server_that_is_started_again_has_as_long_as_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCH_START_TIMEOUT_S", "120")
    signs = Service(load_configuration())._signs
    signs.is_ready = True
    signs.probe = _part(silent_s=119.0, answers=False)
    assert signs.standing_still() == []
    signs.probe = _part(silent_s=121.0, answers=False)
    assert len(signs.standing_still()) == 1


def test_signs_are_given_while_the_server_of_somebody_else_does_not_answer(signs: Signs) -> None:
    signs.runs_server = False
    signs.probe = _part(silent_s=9_000.0, answers=False)
    assert signs.standing_still() == []
    assert signs.status().startswith("Temporal does not answer; ")


def test_no_sign_is_given_while_a_worker_does_not_become_ready(signs: Signs) -> None:
    signs.silent_children = _part(away=["worker-2"])
    assert signs.standing_still() == ["worker-2 does not become ready"]


def test_a_service_that_stops_is_not_hurried(signs: Signs) -> None:
    signs.silent_children = _part(away=["worker-2"])
    signs.is_ready = False
    assert signs.standing_still() == []


async def test_a_worker_that_is_ready_again_is_away_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signs_of_life, "LOOK_S", 0.001)
    child: Any = SimpleNamespace(name="worker-1", is_ready=False, on=lambda *_: None, on_end=[])
    children = SilentChildren([child])
    watching = asyncio.create_task(children.watch())
    await _until(lambda: children.away == ["worker-1"])
    child.is_ready = True
    await _until(lambda: children.away == [])
    watching.cancel()


async def test_a_worker_is_not_away_for_the_time_that_the_server_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not in the seconds after an hour of it, until the worker is started once more."""
    monkeypatch.setattr(signs_of_life, "LOOK_S", 0)
    looks = 0

    def server_answers() -> bool:
        nonlocal looks
        looks += 1
        return looks > 2 * signs_of_life.AWAY_S

    child: Any = SimpleNamespace(name="worker-1", is_ready=False, on=lambda *_: None, on_end=[])
    children = SilentChildren([child], server_answers=server_answers)
    watching = asyncio.create_task(children.watch())
    while looks <= 3 * signs_of_life.AWAY_S:
        assert children.away == []
        await asyncio.sleep(0)
    await _until(lambda: children.away == ["worker-1"])
    watching.cancel()


async def test_the_watchdog_gets_signs_until_something_stands_still(
    signs: Signs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", PATIENCE["WATCHDOG_USEC"])
        loop = asyncio.get_running_loop()
        async with signs_for_systemd(signs):
            assert (await loop.sock_recv(manager, 999)).startswith(b"WATCHDOG=1\nSTATUS=another batchd works the inbox")
            assert await loop.sock_recv(manager, 999) == b"WATCHDOG=1"
            signs.silent_children = _part(away=["worker-2"])
            while (heard := await loop.sock_recv(manager, 999)) == b"WATCHDOG=1":
                pass
            assert heard == b"STATUS=worker-2 does not become ready"
            signs.silent_children = _part(away=[])
            assert (await loop.sock_recv(manager, 999)).startswith(b"WATCHDOG=1\nSTATUS=another")
    assert [each.message for each in caplog.records] == ["watchdog.withheld"]


def test_a_manager_that_does_not_read_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        for _ in range(2_000):  # more than the queue of any socket holds
            notify("WATCHDOG=1")
        assert manager.recv(999) == b"WATCHDOG=1"


async def test_that_nobody_reads_any_more_is_said_once(
    signs: Signs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As under `podman run --sdnotify=container`, whose socket is gone once the service is ready."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    monkeypatch.setenv("WATCHDOG_USEC", PATIENCE["WATCHDOG_USEC"])
    async with signs_for_systemd(signs):
        await _until(lambda: len(failures(caplog)) > 3)
    assert [each for each in failures(caplog) if each != "DEBUG"] == ["WARNING"]


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.levelname for each in caplog.records if each.message == "notify.failed"]


@pytest.mark.parametrize(
    ("environ", "patience_s"),
    [
        (PATIENCE, 0.04),
        ({}, 0.0),
        ({**PATIENCE, "WATCHDOG_PID": str(os.getpid())}, 0.04),
        ({**PATIENCE, "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_waits_as_long_as_systemd_says(environ: dict[str, str], patience_s: float) -> None:
    assert watchdog_s(environ) == patience_s


def test_the_status_counts_batches_and_files_of_all_feeds() -> None:
    files = dict.fromkeys(FILE_STATES, 1)
    one, two = (InboxNow(feed=name, files=files, oldest_s=0, scan_age_s=0) for name in ("one", "two"))
    away = InboxNow(feed="three", files=None, oldest_s=0, scan_age_s=0)
    assert inboxes_line([one, two]) == "2 batches under way, 8 files waiting"
    assert inboxes_line([one, away]) == "1 batch under way, 4 files waiting, inbox of three cannot be read"


def _part(**values: object) -> Any:
    return SimpleNamespace(**values)


async def _until(holds: Any) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)
