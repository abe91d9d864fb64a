"""In an inbox that others may write, batchd's own folders are its own, and what senders could do to them is said."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from intake_site import events

from daemon.config.settings import Settings
from daemon.folders import prepare_inbox
from daemon.intake.observe import inbox_access
from daemon.intake.observe.inbox_access import cannot_be_claimed, check_own_folders, weakness
from daemon.intake.observe.writing import hidden_by

NAMES = (".processing", "archive", "failed", "duplicates")
SOMEBODY = 54_321


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(inbox=tmp_path / "inbox", output_root=tmp_path, state_dir=tmp_path / "state")
    made.inbox.mkdir()
    made.inbox.chmod(0o3770)
    return made


@pytest.fixture
def run_by_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folders that this user makes belong to another one than the service's, whoever runs the tests."""
    monkeypatch.setattr(inbox_access, "ROOT", -1)
    monkeypatch.setattr(inbox_access.os, "geteuid", lambda: SOMEBODY)


@pytest.mark.parametrize("link", [False, True], ids=["folder", "link"])
@pytest.mark.usefixtures("run_by_somebody_else")
def test_a_folder_of_ours_that_is_somebody_else_s_is_refused_in_a_shared_inbox(settings: Settings, link: bool) -> None:
    processing = settings.inbox / ".processing"
    if link:
        processing.symlink_to(settings.inbox)
    else:
        processing.mkdir(mode=0o700)
    with pytest.raises(PermissionError, match=rf"belongs to uid {os.getuid()}, and others may write the inbox"):
        check_own_folders(settings.inbox)
    settings.inbox.chmod(0o755)
    check_own_folders(settings.inbox)


def test_a_folder_of_ours_that_a_volume_gave_to_a_group_is_closed_at_the_start(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    prepare_inbox(settings)
    settings.inbox.chmod(0o3770)
    for folder in (settings.inbox / name for name in NAMES):
        folder.chmod(0o2770)
    assert weakness(settings.inbox)
    prepare_inbox(settings)
    assert [(settings.inbox / name).stat().st_mode & 0o7777 for name in NAMES] == [0o2750] * len(NAMES)
    assert len(events(caplog, "access.restricted")) == len(NAMES)
    assert events(caplog, "inbox.unprotected") == []


def _forbidden(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.parametrize(
    "chmod",
    [
        pytest.param(lambda *_, **__: None, id="as on a mount that gives all files one mode"),
        pytest.param(_forbidden, id="as RestrictSUIDSGID of systemd does where the setgid bit would stay"),
    ],
)
def test_a_folder_of_ours_that_cannot_be_closed_is_a_warning_and_no_end(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, chmod: Any
) -> None:
    prepare_inbox(settings)
    settings.inbox.chmod(0o3770)
    (settings.inbox / ".processing").chmod(0o770)
    monkeypatch.setattr(Path, "chmod", chmod)
    prepare_inbox(settings)
    [unprotected] = events(caplog, "inbox.unprotected")
    assert "others may write" in unprotected["why"]


def test_a_shared_inbox_without_the_sticky_bit_is_a_warning_at_the_start(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    prepare_inbox(settings)
    assert events(caplog, "inbox.unprotected") == []
    settings.inbox.chmod(0o2770)
    prepare_inbox(settings)
    [unprotected] = events(caplog, "inbox.unprotected")
    assert f"chmod +t {settings.inbox}" in unprotected["todo"]


@pytest.mark.usefixtures("run_by_somebody_else")
def test_an_inbox_with_the_sticky_bit_must_belong_to_the_service(settings: Settings) -> None:
    assert weakness(settings.inbox) is None
    problem = cannot_be_claimed(settings.inbox)
    assert problem
    assert "files of other users cannot be taken" in problem[0]


def test_doctor_names_what_stands_in_the_place_of_a_folder_of_ours(runner: BatchctlRunner) -> None:
    for name in NAMES:
        (runner.inbox / name).write_text("notes")
        found = runner.run("doctor", "--json").json()
        [check] = [each for each in found["checks"] if each["check"] == "inbox folders"]
        assert (check["level"], f"{runner.inbox / name} is no folder" in check["found"]) == ("FAIL", True)
        (runner.inbox / name).unlink()


def test_doctor_warns_of_a_shared_inbox_without_the_sticky_bit(runner: BatchctlRunner) -> None:
    levels = []
    for mode in (0o2770, 0o3770, 0o750):
        runner.inbox.chmod(mode)
        found = runner.run("doctor", "--json").json()
        levels += [each["level"] for each in found["checks"] if each["check"] == "inbox access"]
    assert levels == ["WARN", "OK", "OK"]


@pytest.mark.parametrize(
    ("capabilities", "options", "hidden"),
    [
        ("000001ffffffffff", "rw,hidepid=invisible", None),
        ("0000000000000000", "rw,hidepid=invisible", "/proc is mounted with hidepid=invisible"),
        ("0000000000000000", "rw,hidepid=2", "/proc is mounted with hidepid=2"),
        ("0000000000000000", "rw", "open files of other users can be seen by root alone"),
    ],
)
def test_what_hides_the_writers_of_other_users_is_known(
    tmp_path: Path, capabilities: str, options: str, hidden: str | None
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(f"Name:\tbatchd\nCapEff:\t{capabilities}\n")
    (tmp_path / "self" / "mountinfo").write_text(f"22 27 0:21 / /proc rw,relatime - proc proc {options}\n")
    assert hidden_by(tmp_path) == hidden
    assert hidden_by(tmp_path / "none") == "there is no /proc here"
