"""A daemon that does not run, or runs and does not move, is seen by whoever waits for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from installation import Installation, eventually, users

from daemon.config.settings import Settings
from daemon.folders import prepare_inbox
from daemon.intake.leader import Leadership
from daemon.intake.sign_of_life import SignOfLife, check_inbox, was_worked, watch_of

Make = Callable[..., Installation]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("inbox", "out", "state"):
        (tmp_path / name).mkdir()
    return Settings(inbox=tmp_path / "inbox", output_root=tmp_path / "out", state_dir=tmp_path / "state")


@pytest.fixture
def leadership(settings: Settings) -> Iterator[Leadership]:
    leading = Leadership(settings.inbox)
    yield leading
    leading.release()


def test_a_daemon_is_there_moves_falls_silent_and_is_gone(settings: Settings, leadership: Leadership) -> None:
    assert watch_of(settings).attendance == "unwatched"
    assert leadership.holds()
    sign = SignOfLife(settings)
    sign.begin()
    assert watch_of(settings).trouble == ""
    age(settings.state_dir, 85)
    silent = watch_of(settings)
    assert silent.attendance == "silent"
    assert f"(process {os.getpid()} on " in silent.why
    assert "no sign of life for 85 s" in silent.why
    sign.beat()
    assert watch_of(settings).attendance == "watched"
    leadership.release()
    assert watch_of(settings).trouble == f"no batchd watches {settings.inbox}; start batchd run"


def test_a_clock_that_was_set_back_does_not_make_a_dead_sign_a_living_one(
    settings: Settings, leadership: Leadership
) -> None:
    assert leadership.holds()
    SignOfLife(settings).begin()
    age(settings.state_dir, -3_600)
    assert watch_of(settings).attendance == "silent"


def test_a_sign_that_was_removed_is_given_anew_and_none_before_its_time(settings: Settings) -> None:
    sign = SignOfLife(settings)
    sign.beat()
    assert not was_worked(settings)
    sign.begin()
    (settings.state_dir / "daemon.json").unlink()
    sign.beat()
    assert was_worked(settings)
    assert [each.name for each in settings.state_dir.iterdir()] == ["daemon.json"]


@pytest.mark.parametrize("torn", [b"", b"[" * 5_000, b"[]", b'{"pid": "x"}', b"\xff"])
def test_a_sign_that_cannot_be_read_is_none(settings: Settings, leadership: Leadership, torn: bytes) -> None:
    assert leadership.holds()
    (settings.state_dir / "daemon.json").write_bytes(torn)
    assert watch_of(settings).attendance == "watched"


def test_an_inbox_is_made_at_the_first_start_and_missed_at_later_ones(settings: Settings) -> None:
    settings.inbox.rmdir()
    prepare_inbox(settings)
    assert settings.inbox.is_dir()
    SignOfLife(settings).begin()
    shutil.rmtree(settings.inbox)
    prepare_inbox(settings)
    assert not settings.inbox.exists()


def test_the_point_where_an_inbox_was_mounted_is_not_taken_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = [True]
    monkeypatch.setattr("os.path.ismount", lambda _: mounted[0])
    SignOfLife(settings).begin()
    check_inbox(settings)
    mounted[0] = False
    with pytest.raises(OSError, match="the file system that was mounted there is not"):
        check_inbox(settings)
    (settings.inbox / ".processing").mkdir()
    check_inbox(settings)


@pytest.mark.parametrize("command", ["wait users.csv", "watch users.csv", "submit more.csv --wait"])
def test_what_waits_where_no_daemon_runs_says_so_once_and_waits_on(
    runner: BatchctlRunner, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.batchctl.state.waiting.INBOX_POLL_S", 0.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.csv").write_text(users(1))
    (runner.inbox / "users.csv").write_text(users(1))
    answer = runner.run(*command.split(), "--timeout", "1")
    assert answer.code == 5
    assert answer.err.count(f"no batchd watches {runner.inbox}; start batchd run") == 1


def test_a_file_that_nobody_will_take_is_not_said_to_be_taken_next(runner: BatchctlRunner) -> None:
    runner.set(BATCH_SETTLE_S=0)
    (runner.inbox / "users.csv").write_text(users(1))
    [file] = runner.run("list", "--all", "--json").json()["files"]
    assert (file["why"], file["todo"]) == (f"no batchd watches {runner.inbox}", "start batchd run")


def test_a_main_process_that_stands_still_is_seen_by_doctor_and_explain(installation: Make) -> None:
    site = installation(BATCH_SETTLE_S="0")
    service = site.batchd(BATCH_API_URL="http://127.0.0.1:1/")
    sign = site.state_dir / "daemon.json"
    eventually(sign.exists, "a sign of life is given")
    first = sign.stat().st_mtime_ns
    eventually(lambda: sign.stat().st_mtime_ns > first, "it is given again")
    assert checks(site)["daemon"]["level"] == "OK"
    service.send(signal.SIGSTOP)
    try:
        age(site.state_dir, 85)
        site.drop("users.csv", users(1))
        assert checks(site)["daemon"]["level"] == "FAIL"
        assert f"process {service.pid} on" in checks(site)["daemon"]["found"]
        explained = site.batchctl("explain", "users.csv").stdout
        assert "no sign of life for" in explained
        assert "the next scan takes it" not in explained
    finally:
        service.send(signal.SIGCONT)
    eventually(lambda: checks(site)["daemon"]["level"] == "OK", "it moves again")


def age(state_dir: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(state_dir / "daemon.json", (at, at))


def checks(site: Installation) -> dict[str, dict[str, str]]:
    document = json.loads(site.batchctl("doctor", "--json").stdout)
    return {each["check"]: each for each in document["checks"]}
