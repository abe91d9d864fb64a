"""What batchctl and the demo say where something is wrong: what it is, where, and what to do, never a wrong cause."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from configuration_page import configuration_page, kind_of
from demo import unused_name, what_went_wrong
from pinned_files import nobody
from repository import ROOT

from daemon.config.settings import Settings, load_settings
from daemon.intake.explain import waiting_files
from workflows.ids import batch_id, identity_key, workflow_id


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["watch"], ["set", "--all", "rate=5"]])
def test_a_folder_where_no_batchd_ever_ran_is_exit_code_2_and_names_what_was_looked_at(
    runner: BatchctlRunner, tmp_path: Path, arguments: list[str]
) -> None:
    runner.set(BATCH_STATE_DIR=tmp_path / "elsewhere", BATCH_INBOX=tmp_path / "elsewhere-inbox")
    answer = runner.run(*arguments)
    assert answer.code == 2
    assert "no batchd has ever run here" in answer.err
    assert str(tmp_path / "elsewhere") in answer.err
    assert str(tmp_path / "elsewhere-inbox") in answer.err


def test_an_empty_list_names_the_folders_it_looked_at(runner: BatchctlRunner) -> None:
    answer = runner.run("list")
    assert (answer.code, answer.err) == (
        0,
        f"batchctl: no batches in {runner.state_dir}; drop a file into {runner.inbox}\n",
    )
    assert f"no batch in {runner.state_dir} is failed" in runner.run("list", "--state", "failed").err


def test_a_batch_that_ran_waits_for_temporal_and_not_for_its_start_where_no_server_answers(
    runner: BatchctlRunner,
) -> None:
    runner.receipt("running.csv", state="running")
    runner.receipt("claimed.csv")
    answer = runner.run("list", "--json")
    waits = {each["source"]["name"]: each["waiting_on"] for each in answer.json()["batches"]}
    assert answer.code == 3
    assert waits == {"running.csv": "temporal: no server answers", "claimed.csv": "start"}
    assert "waiting (temporal)" in runner.run("list").out


def test_the_list_of_files_says_of_an_unreadable_one_that_it_cannot_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "users.csv").write_text("id\n1\n")
        (Path(folder) / "users.csv").chmod(0)
        with nobody():
            [found] = waiting_files(Settings(inbox=Path(folder), state_dir=Path(folder) / "state", settle_s=0))
    assert (found.state, found.why) == ("left", "it cannot be read: Permission denied")


@pytest.mark.parametrize(
    ("number", "todo"),
    [
        (errno.ENOSPC, "make room on its disk"),
        (errno.EDQUOT, "make room on its disk"),
        (errno.EROFS, "mount it writable"),
        (errno.EACCES, "let this user write it"),
    ],
)
def test_doctor_says_what_to_do_about_the_cause(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch, number: int, todo: str
) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("daemon.batchctl.checks.disk_steps._write", refuse)
    checks = {each["check"]: each for each in runner.run("doctor", "--json").json()["checks"]}
    for check in ("output root", "state folder"):
        assert (checks[check]["level"], todo in checks[check]["todo"]) == ("FAIL", True), checks[check]


def test_doctor_says_who_else_on_this_host_can_steer_batches_and_read_the_state(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = runner.state_dir / "temporal.db"
    database.touch()
    runner.state_dir.chmod(0o755)
    database.chmod(0o644)
    checks = {each["check"]: each for each in runner.run("doctor", "--json").json()["checks"]}
    assert checks["state access"]["level"] == "WARN"
    assert checks["state access"]["todo"] == f"chmod 0700 {runner.state_dir}; chmod 0600 {database}"
    assert checks["server access"]["level"] == "WARN"
    assert "any user of this host can see and steer every batch" in checks["server access"]["found"]
    heading = checks["server access"]["todo"].split("'")[1]
    assert f"## {heading}\n" in (ROOT / "docs" / "security.md").read_text()

    monkeypatch.setenv("BATCH_SERVER_UI_IP", "0.0.0.0")
    checks = {each["check"]: each for each in runner.run("doctor", "--json").json()["checks"]}
    assert checks["server access"]["found"].startswith("whoever reaches the web page, and any user of this host, can ")

    runner.state_dir.chmod(0o700)
    database.chmod(0o600)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    checks = {each["check"]: each for each in runner.run("doctor", "--json").json()["checks"]}
    assert (checks["state access"]["level"], "server access" in checks) == ("OK", False)


def test_a_full_disk_of_the_state_folder_is_named_as_the_cause_of_a_silent_server(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = runner.receipt(state="running")
    real = os.statvfs
    full = SimpleNamespace(f_bavail=0, f_frsize=4_096, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda path: full if Path(path) == runner.state_dir else real(path))
    answer = runner.run("status", receipt.id)
    assert answer.code == 3
    assert f"the disk of the state folder {runner.state_dir}, where it keeps its database, is full" in answer.err
    assert "start one" not in answer.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["wait", "x", "--timeout", "abc"], "must be a number of seconds, 0 or more, it is 'abc'"),
        (["wait", "x", "--timeout", "inf"], "must be a number of seconds, 0 or more, it is 'inf'"),
        (["list", "--limit", "-1"], "must be a whole number of batches, 1 or more, or 0 for all, it is '-1'"),
        (["list", "--limit", "many"], "must be a whole number of batches, 1 or more, or 0 for all, it is 'many'"),
    ],
)
def test_a_number_that_is_none_is_named_with_its_bounds(
    runner: BatchctlRunner, arguments: list[str], word: str
) -> None:
    answer = runner.run(*arguments)
    assert (answer.code, word in answer.err) == (2, True), answer.err
    assert "_seconds" not in answer.err


def test_the_demo_takes_a_name_whose_output_folder_is_nobody_elses(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    settings = load_settings()
    assert unused_name(settings) == "users.csv"
    sha256 = "84d94aaa2f945d62c5fd74f2de8977db4e02377e509e8082f7f75a1ba443ec60"
    theirs = batch_id(b"users.csv", identity_key("name+content", name=b"users.csv", sha256=sha256))
    (runner.output_root / workflow_id(theirs)).mkdir()
    assert unused_name(settings) == "users-2.csv"


def test_the_demo_says_why_there_is_no_result(runner: BatchctlRunner) -> None:
    why = "/tmp/batch-x belongs to user 1000"
    receipt = runner.completed(state="failed", reason=why, archived_as="failed/x/users.csv")
    message = what_went_wrong(load_settings(), "users.csv", receipt)
    assert f"is failed: {why}" in message
    assert f"{runner.inbox}/failed/x/users.csv" in message
    assert "None" not in message + what_went_wrong(load_settings(), "users.csv", None)


def test_the_page_of_settings_speaks_of_values_and_not_of_types() -> None:
    values = [line.split(" | ")[2] for line in configuration_page().splitlines() if line.startswith("| `BATCH_")]
    assert not {each for each in values if each in {"union", "tuple", "optional", "int", "str"} or "[" in each}
    assert kind_of(int | None) == "whole number"
    with pytest.raises(KeyError):
        kind_of(complex)
