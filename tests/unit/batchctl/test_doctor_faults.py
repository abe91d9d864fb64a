"""`doctor` where something really is wrong: each fault is made, found, and named with what to do."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from described_api import Asked, described_api
from installation import BIN
from own_mounts import in_own_mounts, tmpfs
from tls_api import certificate, expired, front

from daemon.batchctl.checks.apis import api_checks
from daemon.batchctl.checks.clock import clock_of_answer
from daemon.batchctl.checks.disk_steps import disk_trouble
from daemon.batchctl.checks.findings import Finding
from daemon.batchctl.checks.limits_of_host import open_files_finding
from daemon.batchctl.checks.mounts import mount_finding
from daemon.config.configuration import load_configuration

needs_namespaces = pytest.mark.system_tool("unshare", package="util-linux")


def found(answer: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert answer.stdout, answer.stderr
    return {each["check"]: each for each in json.loads(answer.stdout)["checks"]}


def left_behind(folder: Path) -> list[Path]:
    return [each for each in folder.rglob(".doctor-*") if each.exists()]


@needs_namespaces
def test_a_folder_that_is_read_only_is_named_with_the_step_that_fails(runner: BatchctlRunner) -> None:
    out = shlex.quote(str(runner.output_root))
    setup = f"mount --bind {out} {out}\nmount -o remount,bind,ro {out}"
    check = found(in_own_mounts(setup, "doctor", "--json"))["output root"]
    assert (check["level"], check["todo"]) == ("FAIL", "mount it writable")
    assert "cannot be written: Read-only file system" in check["found"]


@needs_namespaces
def test_a_disk_that_is_full_and_one_that_is_in_memory_are_named(runner: BatchctlRunner) -> None:
    full = f"{tmpfs(runner.state_dir, 'size=64k')}\ncat /dev/zero > {shlex.quote(str(runner.state_dir))}/fill || true"
    checks = found(in_own_mounts(f"{full}\n{tmpfs(runner.output_root, 'size=1m')}", "doctor", "--json"))
    assert checks["state folder"]["level"] == "FAIL"
    assert "cannot be written: No space left on device" in checks["state folder"]["found"]
    assert "make room on its disk" in checks["state folder"]["todo"]
    assert checks["output root"]["level"] == "OK"
    assert "files can be written, synced, linked and renamed" in checks["output root"]["found"]
    assert checks["output root mount"]["level"] == "WARN"
    assert "results are lost when the host starts anew" in checks["output root mount"]["found"]
    assert checks["free space"]["level"] == "WARN"


@needs_namespaces
def test_a_folder_of_the_inbox_on_another_device_is_named_before_a_file_has_to_go_there(runner: BatchctlRunner) -> None:
    (runner.inbox / "archive").mkdir()
    check = found(in_own_mounts(tmpfs(runner.inbox / "archive", "size=1m"), "doctor", "--json"))["claim"]
    assert (check["level"], "archive: another file system" in check["found"]) == ("FAIL", True)
    assert not left_behind(runner.inbox)


@needs_namespaces
def test_watches_that_the_kernel_does_not_give_are_named_with_what_to_raise(runner: BatchctlRunner) -> None:
    setup = "echo 0 > /proc/sys/user/max_inotify_instances"
    check = found(in_own_mounts(setup, "doctor", "--json"))["watches"]
    assert (check["level"], "fs.inotify.max_user_instances" in check["todo"]) == ("WARN", True)
    assert "inboxes can be watched" in found(in_own_mounts("true", "doctor", "--json"))["watches"]["found"]


def nothing(_: Asked) -> tuple[int, bytes]:
    return 404, b""


@pytest.mark.system_tool("faketime", package="faketime")
@pytest.mark.parametrize(
    ("shift", "said"),
    [("+1h", r"(59 min 5\d s|1 h 00 min) ahead of"), ("-2d", r"(47 h 59 min|48 h 00 min) behind")],
)
def test_a_clock_that_is_wrong_is_said_with_how_far(runner: BatchctlRunner, shift: str, said: str) -> None:
    with described_api(nothing) as api:
        runner.set(BATCH_API_URL=f"{api.url}/enrich")
        faketime = shutil.which("faketime") or ""
        command = [faketime, "-f", shift, str(BIN / "batchctl"), "doctor", "--json"]
        checks = found(subprocess.run(command, capture_output=True, text=True, check=False, timeout=60))
        assert checks["clock"]["level"] == "WARN"
        assert re.search(said, checks["clock"]["found"]), checks["clock"]
        assert "127.0.0.1" in checks["clock"]["found"]
        right = found(subprocess.run(command[3:], capture_output=True, text=True, check=False, timeout=60))
        assert right["clock"]["level"] == "OK"
        assert "127.0.0.1 (this host itself)" in right["clock"]["found"], "which proves nothing, and says so"


def test_what_is_no_date_shows_no_clock() -> None:
    now = datetime.now(tz=UTC)
    assert [clock_of_answer("x", each, asked_at=now) for each in ("", "yesterday", "Thu, 99 Nov 2026")] == [None] * 3


async def of_api(folder: Path, url: str, ca: Path) -> Finding:
    text = f'[api.people]\nurl = "{url}"\ntls = {{ ca = "{ca}" }}\n[feed.contacts]\ninbox = "inbox"\n'
    (folder / "batchd.toml").write_text(text)
    [only] = await api_checks(load_configuration(folder / "batchd.toml", {}, files=False), {"people"}, os.environ)
    return only


@pytest.mark.system_tool("openssl", package="openssl")
async def test_a_certificate_that_is_near_its_end_or_past_it_is_named(tmp_path: Path) -> None:
    soon = certificate(tmp_path, "soon")
    with described_api(nothing, tls=front(soon)) as api:
        near = await of_api(tmp_path, f"{api.url}/", soon)
    assert near.level == "WARN"
    assert "the certificate of 127.0.0.1 is valid for 0 days" in near.found
    assert "renew" in near.todo
    old = expired(certificate(tmp_path, "old"))
    with described_api(nothing, tls=front(old)) as api:
        past = await of_api(tmp_path, f"{api.url}/", old)
    assert (past.level, "certificate has expired" in past.found) == ("FAIL", True), past


def test_a_control_socket_that_others_may_write_to_is_named(runner: BatchctlRunner) -> None:
    runner.state_dir.chmod(0o700)
    socket = runner.state_dir / "control-host-1.sock"
    socket.touch(0o666)
    socket.chmod(0o666)
    checks = {each["check"]: each for each in runner.run("doctor", "--json").json()["checks"]}
    assert checks["state access"]["level"] == "WARN"
    assert f"chmod 0600 {socket}" in checks["state access"]["todo"]


def test_too_few_open_files_for_the_calls_that_are_set_are_named() -> None:
    assert open_files_finding(os.getpid(), 1).level == "OK"
    few = open_files_finding(os.getpid(), 10_000_000)
    assert (few.level, f"process {os.getpid()} may open" in few.found) in {("WARN", True), ("OK", True)}
    assert "LimitNOFILE=" in few.todo or "any number" in few.found


@pytest.mark.parametrize(
    ("kind", "role", "level", "part"),
    [
        ("nfs4", "inbox", "OK", "found by rescans"),
        ("nfs4", "state folder", "WARN", "database of an embedded Temporal server"),
        ("nfs4", "output root", "OK", "each sync waits"),
        ("overlay", "output root", "WARN", "results go with it"),
        ("tmpfs", "state folder", "WARN", "receipts, by which no file runs twice, are lost"),
    ],
)
def test_a_mount_that_forgets_or_is_elsewhere_is_said(
    tmp_path: Path, kind: str, role: str, level: str, part: str
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / {tmp_path} rw,relatime shared:1 - {kind} server:/x rw\n"
    )
    finding = mount_finding(role, tmp_path / "folder", mounts)
    assert finding is not None
    assert (finding.level, part in finding.found) == (level, True), finding
    assert mount_finding(role, Path("/elsewhere"), mounts) is None


def test_a_folder_that_is_well_is_left_as_it_was(tmp_path: Path) -> None:
    assert disk_trouble("output root", tmp_path) is None
    assert list(tmp_path.iterdir()) == []
