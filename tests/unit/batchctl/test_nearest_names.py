"""For a word that is not known, the nearest of those that are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner


@pytest.mark.parametrize(
    ("arguments", "program", "meant"),
    [
        (["stauts", "users.csv"], "batchctl", "status"),
        (["verfy"], "batchctl", "verify"),
        (["ls"], "batchctl", "list"),
        (["list", "--jsn"], "batchctl list", "--json"),
        (["list", "--stat=runing"], "batchctl list", "running"),
        (["export", "users.csv", "--csv", "--out-put=x"], "batchctl export", "--output"),
        (["completion", "bsh"], "batchctl completion", "bash"),
        (["config", "chek"], "batchctl config", "check"),
        (["--verson"], "batchctl", "--version"),
    ],
)
def test_a_mistyped_command_option_or_choice_is_met_with_the_nearest(
    runner: BatchctlRunner, arguments: list[str], program: str, meant: str
) -> None:
    answer = runner.run(*arguments)
    usage, _, error = answer.err.partition(f"\n{program}: error: ")
    assert (answer.code, usage[:15]) == (2, "usage: batchctl")
    assert error.endswith(f"; did you mean {meant}?\n"), answer.err


@pytest.mark.parametrize("arguments", [["pineapple"], ["list", "--pineapple"], ["list", "--state", "pineapple"]])
def test_where_nothing_is_near_nothing_is_suggested(runner: BatchctlRunner, arguments: list[str]) -> None:
    answer = runner.run(*arguments)
    assert (answer.code, "pineapple" in answer.err, "did you mean" in answer.err) == (2, True, False)


@pytest.mark.parametrize(("arguments", "meant"), [(["rum"], "run"), (["run", "--with-mok-api"], "--with-mock-api")])
def test_batchd_does_it_too(tmp_path: Path, arguments: list[str], meant: str) -> None:
    command = [sys.executable, "-m", "daemon.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.endswith(f"; did you mean {meant}?\n")) == (2, True), done.stderr


@pytest.mark.parametrize("name", ["usres.csv", "user.csv", "Users.CSV", "batch-usrs"])
def test_a_mistyped_file_is_met_with_the_latest_batch_of_the_nearest(runner: BatchctlRunner, name: str) -> None:
    runner.completed("orders.csv")
    receipt = runner.completed("users.csv")
    answer = runner.run("verify", name)
    assert (answer.code, f"; did you mean 'users.csv' ({receipt.id})? 'batchctl list" in answer.err) == (4, True), (
        answer
    )


def test_a_mistyped_id_is_met_with_the_nearest(runner: BatchctlRunner) -> None:
    receipt = runner.completed("users.csv")
    mistyped = receipt.id[:-1] + ("0" if receipt.id[-1] != "0" else "1")
    answer = runner.run("verify", mistyped)
    assert (answer.code, f"; did you mean {receipt.id}? " in answer.err) == (4, True), answer


def test_what_lies_among_the_receipts_and_is_none_is_never_suggested(runner: BatchctlRunner) -> None:
    runner.completed("users.csv")
    (runner.receipts.folder / "Orders-X.json").write_text("{}")
    answer = runner.run("verify", "orderz.csv")
    assert (answer.code, "did you mean" in answer.err) == (4, False), answer
