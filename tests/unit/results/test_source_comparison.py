"""`verify --source`: the file is the operator's own argument, and what is said of it is said to the operator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import CSV, FinishedWork
from forging import failed, forge

from workflows.models import CsvOptions


def test_a_source_that_is_not_there_is_said_not_to_exist(runner: BatchctlRunner, work: FinishedWork) -> None:
    answer = runner.run("verify", str(work.directory), "--source", "missing.csv")
    assert answer.code == 1
    assert "FAIL  source: missing.csv does not exist\n" in answer.out
    assert "drop" not in answer.out


def test_a_link_to_the_source_is_followed(work: FinishedWork, tmp_path: Path) -> None:
    (tmp_path / "here.csv").symlink_to(work.source)
    (tmp_path / "there.csv").symlink_to("here.csv")
    assert failed(work, tmp_path / "there.csv") == {}
    (tmp_path / "nowhere.csv").symlink_to("none")
    assert failed(work, tmp_path / "nowhere.csv")["source"].endswith("nowhere.csv does not exist")


def test_what_is_no_regular_file_is_not_opened(work: FinishedWork, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    for name, what in (("pipe.csv", "is not a regular file"), ("out", "is not a regular file"), ("loop.csv", "levels")):
        assert what in failed(work, tmp_path / name)["source"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a workbook", CSV.replace("Bob", "Rob").encode()])
def test_any_other_file_is_said_to_be_another_one(work: FinishedWork, tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(content)
    message = failed(work, other)["source"]
    same_size = len(content) == work.source.stat().st_size
    assert ("its sha256 is another one" if same_size else f"has {len(content)} bytes, the manifest says 99") in message
    assert "drop" not in message


def test_a_header_that_cannot_be_read_as_the_manifest_says_is_told(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, "é,b\n1,2\n")
    work.run()
    forge(work, lambda manifest: manifest["dialect"].update(encoding="ascii"))
    assert "its header is not read as the manifest says" in failed(work, work.source)["source"]


@pytest.mark.parametrize("name", ["/no/such/dir", "no/such/dir", "./users.csv", "", "x" * 300])
def test_a_folder_that_is_not_there_is_no_batch(runner: BatchctlRunner, work: FinishedWork, name: str) -> None:
    for command in (["verify"], ["export", "--csv"]):
        answer = runner.run(command[0], name, *command[1:])
        assert (answer.code, answer.out) == (4, ""), answer.err
        assert "no batch" in answer.err


def test_a_folder_may_be_named_with_and_without_a_slash(
    runner: BatchctlRunner, work: FinishedWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work.out)
    for name in (f"batch-{work.id}", f"./batch-{work.id}", f"batch-{work.id}/"):
        assert runner.run("verify", name).code == 0


def test_a_source_of_any_dialect_is_read_as_its_manifest_says(tmp_path: Path) -> None:
    text = "\ufeffid||name||note\n1||'O\\'Hara'||'a||b'\n2||Bob||\n3||Cid||\\||\n"
    options = CsvOptions(delimiter="||", quote="'", escape="\\")
    work = FinishedWork(tmp_path / "odd", text, page_rows=2, options=options)
    work.run()
    assert failed(work, work.source) == {}
    forge(work, lambda manifest: manifest["dialect"].update(quote='"'))
    assert "source" in failed(work, work.source)


def test_a_source_with_other_lines_around_its_records_is_read_as_its_manifest_says(tmp_path: Path) -> None:
    text = "Sales\n# made by hand\n1, Ann ,x\n2,Bob\n# more\n3,Cid,\nTotal: 3\n"
    options = CsvOptions(
        skip_lines=1,
        comment="#",
        has_header=False,
        column_names=("id", "name", "note"),
        trim=True,
        short_rows="pad",
        footer="Total: .*",
    )
    work = FinishedWork(tmp_path / "odd", text, page_rows=2, options=options)
    work.run()
    assert failed(work, work.source) == {}
    forge(work, lambda manifest: manifest["dialect"].pop("data_end"))
    assert "source" in failed(work, work.source)
