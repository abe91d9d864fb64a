"""`batchctl export --output`: a file appears whole, everything else that is there already is written into."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import FinishedWork

BATCHCTL = Path(sys.executable).parent / "batchctl"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder to export into."""
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


def export(runner: BatchctlRunner, work: FinishedWork, output: object) -> tuple[int, str]:
    answer = runner.run("export", str(work.directory), "--jsonl", "--output", str(output))
    assert answer.out == ""
    assert "Traceback" not in answer.err
    return answer.code, answer.err


def test_an_older_file_is_replaced_at_once_and_keeps_who_may_read_it(
    runner: BatchctlRunner, work: FinishedWork, target: Path
) -> None:
    file = target / "rows.jsonl"
    file.write_text("old")
    file.chmod(0o640)
    before = file.stat().st_ino
    assert export(runner, work, file) == (0, f"batchctl: 6 rows in {file}\n")
    assert len(file.read_text().splitlines()) == 6
    assert (file.stat().st_ino == before, stat.S_IMODE(file.stat().st_mode)) == (False, 0o640)
    assert [each.name for each in target.iterdir()] == ["rows.jsonl"]


def test_a_name_may_be_as_long_as_the_file_system_takes(
    runner: BatchctlRunner, work: FinishedWork, target: Path
) -> None:
    assert export(runner, work, target / ("x" * 255))[0] == 0


@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
def test_what_a_link_leads_to_is_replaced_and_the_link_stays(
    runner: BatchctlRunner, work: FinishedWork, target: Path, there: bool
) -> None:
    (target / "deep").mkdir()
    real, link = target / "deep" / "real.jsonl", target / "link.jsonl"
    if there:
        real.write_text("old")
    link.symlink_to("deep/real.jsonl")
    assert export(runner, work, link)[0] == 0
    assert link.is_symlink()
    assert len(real.read_text().splitlines()) == 6
    assert sorted(each.name for each in target.rglob("*")) == ["deep", "link.jsonl", "real.jsonl"]


def test_a_pipe_is_written_into_and_stays_one(runner: BatchctlRunner, work: FinishedWork, target: Path) -> None:
    pipe = target / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reading = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reading.start()
    assert export(runner, work, pipe)[0] == 0
    reading.join(10)
    assert len(read[0].splitlines()) == 6
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_device_is_written_into_and_stays_one(runner: BatchctlRunner, work: FinishedWork, target: Path) -> None:
    ours, theirs = os.openpty()  # a device that no mistake could replace
    device = os.ttyname(theirs)
    (target / "link").symlink_to(device)
    for output in (device, target / "link"):
        assert export(runner, work, output)[0] == 0
        assert os.read(ours, 10_000).count(b"\n") == 6
    assert (target / "link").is_symlink()
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("output", ["", ".", "..", "/", "exports", "exports/", "new/", "link"])
def test_an_empty_name_or_a_folder_is_a_usage_error(
    runner: BatchctlRunner, work: FinishedWork, target: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(target.parent)
    Path("link").symlink_to("exports")
    before = sorted(Path().rglob("*"))
    code, err = export(runner, work, output)
    assert code == 2
    assert "give the name of a file" in err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("output", ["nowhere/rows.jsonl", "rows.jsonl/rows.jsonl", "loop"])
def test_a_place_that_cannot_be_written_is_named_as_it_was_given(
    runner: BatchctlRunner, work: FinishedWork, target: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(target)
    Path("rows.jsonl").touch()
    Path("loop").symlink_to("loop")
    code, err = export(runner, work, output)
    assert code == 1
    assert err.startswith(f"batchctl: {output}: ")
    assert ".part" not in err


def test_an_export_that_fails_leaves_the_older_file_as_it_was(
    runner: BatchctlRunner, work: FinishedWork, target: Path
) -> None:
    file = target / "rows.jsonl"
    file.write_text("old")
    (work.directory / "chunk-000003.json").unlink()
    assert export(runner, work, file)[0] == 1
    assert file.read_text() == "old"
    assert [each.name for each in target.iterdir()] == ["rows.jsonl"]


def test_standard_output_may_be_given_by_name(work: FinishedWork) -> None:
    command = [BATCHCTL, "export", str(work.directory), "--jsonl", "--output", "/proc/self/fd/1"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 6
