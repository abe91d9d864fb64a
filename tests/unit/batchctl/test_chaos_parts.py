"""The parts of `batchctl chaos` that need no process: ports, the order of kills, what counts as not as promised."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner

from activities.output.names import chunk_name, part_name
from daemon.batchctl.chaos.judgement import Calls, Judgement
from daemon.batchctl.chaos.ports import own_port
from daemon.batchctl.chaos.site import Site
from daemon.batchctl.chaos.strikes import PARTS, STOPPED_S, Strike, order_of_strikes
from daemon.batchctl.chaos.users import region, write_users
from daemon.results.verdict import Check, Verdict

STRIKE = Strike(how="kill -9", victim="worker", at_s=1.0, pids=(1,), rows_on_disk=5, recovered_s=2.0)
WELL = Judgement(
    state="completed",
    reason="",
    rows_in=100,
    rows_out=100,
    enriched=99,
    fallback=1,
    lost=0,
    doubled=0,
    calls=Calls(made=110, failed=5, repeated_after_kills=6, most_repeats=32),
    strikes=(STRIKE,),
    verdict=Verdict(ok=True, directory="out"),
    findings=(),
)


def test_runs_beside_each_other_have_ports_of_their_own() -> None:
    with own_port() as one, own_port() as other:
        assert one != other


def test_each_part_is_killed_and_one_stopped_before_any_is_killed_again() -> None:
    order = list(islice(order_of_strikes(random.Random(7)), 40))
    for begin in range(0, 40, 4):
        of_a_round = Counter(how for how, _ in order[begin : begin + 4])
        killed = {victim for how, victim in order[begin : begin + 4] if how == "kill -9"}
        assert (of_a_round, killed) == ({"kill -9": 3, "stop": 1}, set(PARTS))
    assert order == list(islice(order_of_strikes(random.Random(7)), 40))
    assert order != list(islice(order_of_strikes(random.Random(8)), 40))


def test_a_stop_lasts_longer_than_a_worker_may_be_silent() -> None:
    assert STOPPED_S > 2


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("one.csv", 5), ("again.csv", 5), ("other.csv", 6)):
        write_users(tmp_path / name, 50, random.Random(seed))
    one, again, other = ((tmp_path / name).read_bytes() for name in ("one.csv", "again.csv", "other.csv"))
    assert one == again != other
    assert len(one.splitlines()) == 51
    assert [each.name for each in tmp_path.glob(".*")] == []
    assert (region({"country": "US"}), region({"country": "DE"})) == ({"region": "NA"}, {"region": "INTL"})


def test_rows_on_disk_are_those_of_chunks_and_of_pages_under_way(tmp_path: Path) -> None:
    site = Site(root=tmp_path, rows=1_050, server_port=1)
    assert (site.page_rows, site.rows_on_disk()) == (10, 0)
    folder = tmp_path / "out" / "batch-users-1"
    folder.mkdir(parents=True)
    (folder / chunk_name(1)).write_text("[]")
    (folder / part_name(1)).write_text("saved\n" * 10)
    (folder / part_name(2)).write_text("sum\t1\tE\n" * 3 + "sum\ttolerated\t0\t0\n" + "torn")
    assert site.rows_on_disk() == 13


@pytest.mark.parametrize(
    ("judgement", "said"),
    [
        (WELL, None),
        (replace(WELL, state="failed", reason="no room"), "the batch is failed: no room"),
        (replace(WELL, rows_out=99, lost=1), "100 rows went in, 99 came out: 1 lost, 0 doubled"),
        (replace(WELL, doubled=1), "100 rows went in, 100 came out: 0 lost, 1 doubled"),
        (replace(WELL, calls=replace(WELL.calls, repeated_after_kills=33)), "33 calls were repeated, and 32 may be"),
        (
            replace(WELL, verdict=Verdict(ok=False, directory="", checks=[Check(name="rows", ok=False)])),
            "batchctl verify: 1 checks failed",
        ),
        (replace(WELL, findings=("I1: 1 records are lost",)), "batchd-checker: 1 findings"),
        (replace(WELL, strikes=()), "the batch had ended before anything was killed"),
        (replace(WELL, strikes=(replace(STRIKE, how="stop"),)), "the batch had ended before anything was killed"),
    ],
)
def test_what_is_not_as_promised_is_said(judgement: Judgement, said: str | None) -> None:
    problems = judgement.problems()
    assert [each[: len(said)] for each in problems] == [said] if said else problems == []


@pytest.mark.parametrize("rows", ["99", "200001", "ten", "1e4"])
def test_a_number_of_rows_that_cannot_be_is_refused(runner: BatchctlRunner, rows: str) -> None:
    answer = runner.run("chaos", "--rows", rows)
    assert (answer.code, "must be a number of rows, 100 to 200,000" in answer.err) == (2, True)


def test_without_a_server_to_run_it_says_how_to_install_one(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("daemon.batchctl.commands.chaos.server_program", lambda: None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    answer = runner.run("chaos", "--json")
    assert (answer.code, answer.out.strip()) == (2, "")
    assert "a Temporal server of its own, which is not installed; install batchd with its extra" in answer.err


def test_what_does_not_hold_is_exit_code_1_and_the_folder_stays_as_evidence(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("daemon.batchctl.commands.chaos.server_program", lambda: "temporal")
    judged = [replace(WELL, rows_out=99, lost=1), replace(WELL, doubled=1), WELL]
    monkeypatch.setattr("daemon.batchctl.commands.chaos._told", lambda *_, **__: (judged.pop(0), 60.0))

    told = runner.run("chaos")
    [kept] = tmp_path.glob("batchd-chaos-*")
    assert (told.code, told.err.startswith(f"batchctl: kept {kept};")) == (1, True)
    assert told.out.splitlines()[-1] == "FAILED: 100 rows went in, 99 came out: 1 lost, 0 doubled"

    answer = runner.run("chaos", "--json")
    assert (answer.code, answer.json()["ok"], answer.json()["doubled"]) == (1, False, 1)
    assert Path(answer.json()["folder"]).is_dir()

    passed = runner.run("chaos", "--json")
    assert (passed.code, passed.json()["folder"], len(list(tmp_path.glob("batchd-chaos-*")))) == (0, None, 2)


def test_a_configuration_of_somebody_else_is_no_matter_to_it(
    runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.batchctl.commands.chaos.server_program", lambda: None)
    runner.set(BATCH_NONSENSE=json.dumps("x"))
    assert "not installed" in runner.run("chaos").err
