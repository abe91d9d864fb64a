"""`batchctl chaos` as somebody runs it who doubts: a batch under kills, its verdict, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from installation import BIN, eventually
from terminal_window import in_window

from activities.registry.receipts import Receipts
from daemon.batchctl.chaos.judgement import judge
from daemon.batchctl.chaos.mock import SeenCalls
from daemon.batchctl.chaos.site import Site

SMALL = ("--rows", "120", "--seconds", "0.6", "--seed", "3")


@contextmanager
def chaos(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run it with a folder of its own for what is temporary."""
    environ = {**os.environ, "TMPDIR": str(folder), **variables}
    command = [str(BIN / "batchctl"), "chaos", *SMALL, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def processes_of(folder: Path) -> list[str]:
    """Return the processes that were started with a folder for what is temporary in `folder`."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={folder}/".encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_text())
        except OSError:  # gone, or another user's
            continue
    return found


def left_in(folder: Path) -> tuple[list[str], list[str]]:
    return processes_of(folder), [each.name for each in folder.iterdir()]


def test_a_batch_under_kills_passes_and_leaves_nothing(tmp_path: Path) -> None:
    # What is set for another batchd, and a proxy that nobody is at, are no matter to it.
    others = {"BATCH_INBOX": "/nowhere", "TEMPORAL_ADDRESS": "127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    with chaos(tmp_path, "--every", "0.5", "--json", **others) as running:
        out, err = running.communicate(timeout=100)
    document = json.loads(out)
    assert (running.returncode, document["ok"], document["problems"], err) == (0, True, [], "")
    assert (document["rows_in"], document["rows_out"], document["lost"], document["doubled"]) == (120, 120, 0, 0)
    assert (document["verify"]["ok"], document["verify"]["records"], document["findings"]) == (True, 120, [])
    assert document["calls"]["repeated_after_kills"] <= document["calls"]["most_repeats"]
    last = document["strikes"][-1]
    assert (last["how"], last["victim"], len(last["pids"])) == ("kill -9", "everything", 3)
    assert left_in(tmp_path) == ([], [])


def test_in_a_terminal_it_shows_each_kill_and_the_verdict_and_keeps_the_folder_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code, lines, err = in_window(100, "chaos", *SMALL, "--every", "60", "--keep")
    assert code == 0, err
    assert any("kill -9 everything" in each for each in lines)
    assert any("120 of 120 rows" in each for each in lines)
    assert "PASSED: every row is there, once" in lines
    [kept] = tmp_path.iterdir()
    assert err.startswith(f"batchctl: kept {kept}; its batch: batchctl --config {kept}/batchd.toml status users.csv")
    asked = [BIN / "batchctl", "--config", kept / "batchd.toml", "status", "users.csv"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "state     completed" in said
    assert processes_of(tmp_path) == []
    check_that_damage_is_found(kept)


def check_that_damage_is_found(kept: Path) -> None:
    """Take a row away from a result, put another one there twice, and have it judged again."""
    site = Site(root=kept, rows=120, server_port=1)
    receipt, seen = Receipts(site.state_dir).find("users.csv"), SeenCalls(times={"users-1": 3}, failed=0)
    assert receipt is not None
    chunk = min(Path(receipt.output_dir).glob("chunk-*.json"))
    rows = json.loads(chunk.read_text())
    chunk.write_text(json.dumps([*rows[1:], rows[-1]]))
    found = judge(site, receipt, seen, [])
    assert (found.rows_out, found.lost, found.doubled) == (120, 1, 1)
    assert (found.verdict.ok, found.calls.repeated_after_kills) == (False, 2)
    assert any("1 records are lost, such as [1]" in each for each in found.findings)
    assert any("2 calls were repeated, and 0 may be" in each for each in found.findings)


@pytest.mark.parametrize(("ending", "struck"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_interrupted_it_leaves_nothing(tmp_path: Path, ending: signal.Signals, struck: bool) -> None:
    with chaos(tmp_path, "--seconds", "60", "--every", "0.1") as running:
        assert running.stdout
        heads = [running.stdout.readline() for _ in range(3 if struck else 1)]
        assert heads[0].startswith("120 rows, seed 3, in ")
        eventually(lambda: processes_of(tmp_path), "something was started")
        running.send_signal(ending)
        running.send_signal(ending)  # by somebody who has no patience
        _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "")
    assert left_in(tmp_path) == ([], [])


def test_killed_itself_it_leaves_nothing_either(tmp_path: Path) -> None:
    with chaos(tmp_path, "--seconds", "60", "--every", "0.1") as running:
        assert running.stdout
        eventually(lambda: "stop" in (running.stdout.readline() if running.stdout else ""), "something was struck")
        running.kill()
        running.wait()
    eventually(lambda: left_in(tmp_path) == ([], []), "nothing is left")
