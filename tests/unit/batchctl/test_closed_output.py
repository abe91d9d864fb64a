"""Commands whose output nobody reads: the exit code is what it would have been with a reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import FinishedWork

BATCHCTL = Path(sys.executable).parent / "batchctl"


@pytest.fixture
def sound(runner: BatchctlRunner) -> Path:
    work = FinishedWork(runner.output_root.parent)
    return work.run()


@pytest.fixture
def broken(sound: Path) -> Path:
    (sound / "chunk-000002.json").unlink()
    return sound


def with_closed_pipe(*arguments: object, also_stderr: bool = False) -> tuple[int, str]:
    """Run batchctl into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [BATCHCTL, *map(str, arguments)],
            stdout=writing,
            stderr=writing if also_stderr else subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr or ""


def with_shell(redirection: str, *arguments: object) -> tuple[int, str]:
    command = f'"$0" "$@" {redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, BATCHCTL, *map(str, arguments)], stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_proof_that_does_not_hold_is_exit_code_1_into_a_closed_pipe(broken: Path, form: list[str]) -> None:
    assert with_closed_pipe("verify", broken, *form) == (1, "")
    assert with_closed_pipe("verify", broken, *form, also_stderr=True) == (1, "")


def test_a_proof_that_holds_is_exit_code_0_into_a_closed_pipe(sound: Path) -> None:
    assert with_closed_pipe("verify", sound) == (0, "")


def test_an_error_that_nobody_reads_has_its_exit_code(runner: BatchctlRunner) -> None:
    assert with_closed_pipe("status", "nobody", also_stderr=True)[0] == 4
    assert with_closed_pipe("verify", also_stderr=True)[0] == 2


def test_a_list_that_could_not_ask_temporal_is_exit_code_3_into_a_closed_pipe(runner: BatchctlRunner) -> None:
    runner.receipt(state="running")
    runner.set(TEMPORAL_ADDRESS="127.0.0.1:1")
    assert with_closed_pipe("list")[0] == 3


def test_watching_ends_with_the_code_of_a_batch_that_has_failed(runner: BatchctlRunner) -> None:
    receipt = runner.completed(state="failed", reason="an unclosed quote", counts=None)
    code, err = with_closed_pipe("watch", receipt.id)
    assert (code, "is failed" in err) == (1, True)


def test_an_export_stops_in_silence_where_its_reader_has_gone(sound: Path) -> None:
    assert with_closed_pipe("export", sound, "--csv") == (0, "")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_an_output_that_is_closed_from_the_start_is_as_one_that_nobody_reads(broken: Path, redirection: str) -> None:
    assert with_shell(f"{redirection}", "verify", broken)[0] == 1
    code, err = with_shell(f"{redirection}", "list")
    assert (code, "Traceback" in err) == (0, False)


def test_an_output_that_cannot_be_written_is_named(sound: Path) -> None:
    assert with_shell(">/dev/full", "verify", sound) == (1, "batchctl: standard output: No space left on device\n")
    assert with_shell(">/dev/full", "list", "--json") == (1, "batchctl: standard output: No space left on device\n")
    assert with_shell(">/dev/full", "export", sound, "--csv") == (
        1,
        "batchctl: standard output: No space left on device\n",
    )
