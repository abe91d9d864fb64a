"""Failpoints: armed by the environment, at the n-th pass, with the fault asked for, and listed by a command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from activities.disk.failpoint_places import PLACES
from activities.disk.failpoints import armed, cut, failpoint, watched
from activities.disk.hashing import write_hashed
from workflows.errors import SettingsError


def test_a_failpoint_acts_at_its_nth_pass_only() -> None:
    hook = armed("link.before:2:error:EIO, *:3:error:ENOSPC")
    assert hook
    with watched(hook):
        failpoint("link.before")
        failpoint("link.after")
        with pytest.raises(OSError, match=r"Input/output error .failpoint link.before"):
            failpoint("link.before")
        with pytest.raises(OSError, match=r"No space left on device .failpoint link.after"):
            failpoint("link.after")
        failpoint("link.before")
    failpoint("link.before")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("link.before:soon:kill", "is not name:n:action"),
        ("link.before:1", "is not name:n:action"),
        ("link.befor:1:kill", "there is no place 'link.befor'"),
        ("link.before:1:error:EWRONG", "is not kill, stop, hang, short or error:ERRNO"),
        ("link.before:1:explode", "is not kill, stop, hang, short or error:ERRNO"),
    ],
)
def test_a_plan_that_cannot_be_read_is_an_error_that_says_why(plan: str, said: str) -> None:
    assert armed("") is None
    with pytest.raises(SettingsError, match=re.escape(said)):
        armed(plan)


def test_half_of_a_block_is_written_once_and_the_writer_goes_on(tmp_path: Path) -> None:
    hook = armed("file.write:1:short")
    assert hook
    with watched(hook), (tmp_path / "file").open("wb") as file:
        assert cut("file.sync.before", b"whole") == b"whole"
        write_hashed(file.fileno(), [b"12345678"])
    assert (tmp_path / "file").read_bytes() == b"12345678"


@pytest.mark.parametrize(("action", "code"), [("kill", -signal.SIGKILL), ("error:EIO", 1)])
def test_they_are_armed_by_the_environment(action: str, code: int) -> None:
    script = "from activities.disk.failpoints import failpoint; failpoint('link.after'); failpoint('link.before')"
    env = {**os.environ, "BATCHD_FAILPOINTS": f"link.before:1:{action}"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=False)
    assert done.returncode == code


def test_what_acts_is_noted_in_a_file_with_its_time_and_process(tmp_path: Path) -> None:
    script = "from activities.disk.failpoints import cut; cut('file.write', b'1'); cut('file.write', b'1')"
    log = tmp_path / "log"
    plan = "file.write:2:short, link.before:1:kill"
    env = {**os.environ, "BATCHD_FAILPOINTS": plan, "BATCHD_FAILPOINTS_LOG": str(log)}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert re.fullmatch(r"[0-9]+\.[0-9]{6} [0-9]+ file\.write:2:short\n", log.read_text())


@pytest.mark.parametrize(("action", "state"), [("stop", "T"), ("hang", "S")])
def test_a_process_is_stopped_or_hangs_there(action: str, state: str) -> None:
    script = "from activities.disk.failpoints import failpoint; print('here', flush=True); failpoint('link.before')"
    env = {**os.environ, "BATCHD_FAILPOINTS": f"link.before:1:{action}"}
    with subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
            assert process.poll() is None
        process.kill()


def test_every_place_in_the_code_is_in_the_list_and_every_one_of_the_list_in_the_code() -> None:
    sources = [file for top in ("activities", "daemon", "workflows") for file in (ROOT / top).rglob("*.py")]
    found = {name for file in sources for name in re.findall(r'\b(?:failpoint|cut)\("([^"]+)"', file.read_text())}
    assert found == PLACES.keys()


def test_a_command_lists_them_with_what_they_are_about() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "daemon.main", "failpoints"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(PLACES)
    assert "manifest.link.before     the manifest is to get its name" in lines
