"""With JSON lines nothing else is ever on standard error or standard output, however the service starts or fails."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, Process, eventually, free_port, users
from log_events import events_in_docs

Make = Callable[..., Installation]

NOISY = """\
import atexit, sys, threading, warnings
warnings.warn("an import warns", DeprecationWarning)
class Broken:
    def __del__(self): raise KeyError("nobody handles this")
def fail(): raise KeyError("in a thread")
Broken()
threading.Thread(target=fail).start()
"""
"""A library that says all it can at its import, in the ways in which Python would write to standard error."""


def lines(service: Process) -> list[dict[str, Any]]:
    """Return what the service wrote, every line of it."""
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def test_every_line_of_a_service_and_its_children_is_a_known_event(installation: Make, tmp_path: Path) -> None:
    site = installation(BATCH_WORKERS="2", BATCH_PAGE_ROWS="50", BATCH_IN_MEMORY_MAX_BYTES="0")
    service = site.batchd("run", "--with-mock-api", **_noisy(tmp_path), MOCK_API_PORT=str(free_port()))
    site.drop("users.csv", users(200))
    site.drop("bad.csv", "id,name\n1\n")
    eventually(lambda: service.logged("batch.failed"), "the bad one fails")
    [worker, *_] = [pid for pid, line in site.children(service.pid) if b"--process-of" in line]
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: service.logged("child.ended"), "it is missed")
    assert service.stop() == 0
    said = lines(service)
    for each in said:
        assert {"time", "level", "logger", "event", "message"} <= each.keys(), each
    assert {each["event"] for each in said} <= events_in_docs()
    assert {"child.said", "python.warning", "python.failed"} <= {each["event"] for each in said}
    assert {each["message"] for each in said if each["event"] == "python.failed"} == {"python.failed"}
    assert all("KeyError" in each["exception"] for each in said if each["event"] == "python.failed")


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "why"),
    [
        (["rum"], {}, 2, "did you mean run?"),
        (["run"], {"BATCH_PAGE_ROWS": "none"}, 2, "BATCH_PAGE_ROWS"),
        (["run"], {"BATCH_WORKRS": "1"}, 2, "did you mean BATCH_WORKERS"),
        (["run", "--config", "none.toml"], {}, 2, "none.toml"),
        (["watch"], {"TEMPORAL_ADDRESS": "127.0.0.1:1", "BATCH_START_TIMEOUT_S": "1"}, 3, "no Temporal server answers"),
    ],
    ids=["command", "setting", "name", "file", "server"],
)
def test_why_it_did_not_start_is_one_line(
    installation: Make, tmp_path: Path, arguments: list[str], settings: dict[str, str], code: int, why: str
) -> None:
    site = installation(**settings)
    service = site.start("batchd", [str(site.programs / "batchd"), *arguments])
    assert service.wait() == code
    [line] = lines(service)
    assert (line["event"], line["level"]) == ("daemon.not_started", "error")
    assert why in line["why"]


def _noisy(folder: Path) -> dict[str, str]:
    """Return what makes our own processes import a noisy library, as a plugin of the event loop would be."""
    (folder / "noisy").mkdir()
    (folder / "noisy" / "uvloop.py").write_text(NOISY + _REST)
    return {"PYTHONPATH": str(folder / "noisy"), "PYTHONWARNINGS": "default"}


_REST = """\
import os, importlib.util
sys.path = [each for each in sys.path if each != os.path.dirname(__file__)]
del sys.modules["uvloop"]
import uvloop
"""
