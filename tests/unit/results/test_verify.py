from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished_work import CSV, FinishedWork
from forging import Change, failed, forge

from daemon.results.verdict import MAX_LISTED, Findings
from daemon.results.verify import verify
from workflows.errors import OutputRefused


def test_a_sound_result_holds_and_is_told_in_numbers(work: FinishedWork) -> None:
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok
    assert (verdict.status, verdict.generation) == ("complete_with_fallbacks", 1)
    assert (verdict.records, verdict.enriched, verdict.fallback, verdict.rejected) == (7, 4, 2, 1)
    assert verdict.files == 4
    assert [each.name for each in verdict.checks] == [
        "manifest",
        "digest",
        "sums",
        "generations",
        "ranges",
        "counts",
        "files",
        "content",
        "rows",
        "source",
        "nothing else",
        "permissions",
    ]


def test_a_copy_elsewhere_holds_too(work: FinishedWork, tmp_path: Path) -> None:
    copy = shutil.copytree(work.directory, tmp_path / "copy")
    assert verify(copy, source=work.source).ok


@pytest.mark.parametrize(
    "name",
    ["chunk-000001.json", "chunk-000003.json", "rejected-000001.json", "manifest.json", "manifest.sha256"],
)
def test_one_flipped_byte_anywhere_is_found_and_the_file_named(work: FinishedWork, name: str) -> None:
    path = work.directory / name
    content = path.read_bytes()
    step = max(1, len(content) // 300)
    for position in range(0, len(content), step):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        found = failed(work)
        assert name in " ".join(found.values()), (position, found)
    path.write_bytes(content)
    assert failed(work) == {}


@pytest.mark.parametrize(
    "name",
    ["chunk-000002.json", "rejected-000001.json", "manifest.json", "manifest.sha256"],
)
@pytest.mark.parametrize("harm", ["cut", "emptied", "lengthened", "dropped", "folder", "symlink", "fifo"])
def test_harm_to_a_file_is_found_and_the_file_named(work: FinishedWork, name: str, harm: str) -> None:
    path = work.directory / name
    content = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(content[:-1])
    elif harm == "emptied":
        path.touch()
    elif harm == "lengthened":
        path.write_bytes(content + b"\n")
    elif harm == "folder":
        path.mkdir()
    elif harm == "symlink":
        (work.root / "elsewhere").write_bytes(content)
        path.symlink_to(work.root / "elsewhere")
    elif harm == "fifo":
        os.mkfifo(path)
    assert name in " ".join(failed(work).values())


def test_swapped_chunks_are_found(work: FinishedWork) -> None:
    first, second = work.directory / "chunk-000001.json", work.directory / "chunk-000002.json"
    first.rename(work.root / "x")
    second.rename(first)
    (work.root / "x").rename(second)
    message = failed(work)["files"]
    assert "chunk-000001.json" in message
    assert "chunk-000002.json" in message


@pytest.mark.parametrize(
    "name", ["chunk-000004.json", "notes.txt", ".hidden", "chunk-000001-g2.json", "manifest-g2.sha256"]
)
def test_a_planted_file_is_found(work: FinishedWork, name: str) -> None:
    (work.directory / name).touch()
    assert name in failed(work)["nothing else"]


@pytest.mark.parametrize("name", [".tmp-1-abcd", ".part-000001", ".journal", ".batchd"])
def test_a_temporary_file_is_named_as_one(work: FinishedWork, name: str) -> None:
    (work.directory / name).touch()
    assert f"'{name}' is a temporary file" in failed(work)["nothing else"]


def test_a_file_that_others_may_read_is_a_warning_and_no_failure(work: FinishedWork) -> None:
    (work.directory / "chunk-000001.json").chmod(0o644)
    verdict = verify(work.directory)
    assert verdict.ok
    [warned] = [each for each in verdict.checks if each.warning]
    assert "chunk-000001.json" in warned.detail


def test_a_batch_without_a_manifest_is_not_complete(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    assert "not complete" in failed(work)["manifest"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match="nowhere"):
        verify(tmp_path / "nowhere")


def nothing(_: object) -> None:
    pass


def test_a_forger_who_changes_nothing_is_not_found(work: FinishedWork) -> None:
    forge(work, nothing, chunk=nothing)
    assert failed(work) == {}


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("counts", lambda manifest: manifest["counts"].update(enriched=5)),
        ("counts", lambda manifest: manifest["counts"].update(by_error={})),
        ("counts", lambda manifest: manifest.update(status="complete")),
        ("counts", lambda manifest: manifest["chunks"][0].update(rejected=0)),
        ("content", lambda manifest: manifest["chunks"][0].update(enriched=2, fallback=0, by_error={})),
        ("content", lambda manifest: manifest["dialect"].update(columns=["id", "name", "land"])),
        ("ranges", lambda manifest: manifest["chunks"][1].update(source_start=54)),
        ("ranges", lambda manifest: manifest["chunks"][1].update(source_start=52)),
        ("ranges", lambda manifest: manifest["chunks"][0].update(source_start=15)),
        ("ranges", lambda manifest: manifest["source"].update(bytes=100)),
        ("ranges", lambda manifest: manifest["chunks"].pop()),
        ("ranges", lambda manifest: manifest["chunks"].reverse()),
        ("rows", lambda manifest: manifest["chunks"][1].update(last_row=10**15)),
        ("manifest", lambda manifest: manifest.pop("settings")),
        ("manifest", lambda manifest: manifest["chunks"][0].update(page="1")),
        ("manifest", lambda manifest: manifest["chunks"][0].update(file="../../etc/passwd")),
        ("manifest", lambda manifest: manifest.update(generation=2)),
        ("manifest", lambda manifest: manifest.update(id="../x")),
        ("manifest", lambda manifest: manifest.update(manifest_version=3)),
        ("generations", lambda manifest: manifest["integrity"].update(previous="0" * 64)),
    ],
)
def test_a_manifest_that_lies_with_right_digests_is_found(work: FinishedWork, check: str, change: Change) -> None:
    forge(work, change)
    assert check in failed(work)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("content", lambda rows: rows.pop()),
        ("rows", lambda rows: rows[1].update(_row=1)),
        ("rows", lambda rows: rows.reverse()),
        ("content", lambda rows: rows[0].update(_row="1")),
        ("content", lambda rows: rows[0].update(enriched="yes")),
        ("content", lambda rows: rows[0].update(id=1)),
        ("content", lambda rows: rows[0].pop("name")),
        ("content", lambda rows: rows[1].update(region="NA")),
        ("content", lambda rows: rows[1].pop("error")),
        ("content", lambda rows: rows.append(7)),
    ],
)
def test_a_chunk_that_lies_with_right_digests_is_found(
    work: FinishedWork, check: str, change: Callable[[list[Any]], object]
) -> None:
    forge(work, nothing, chunk=change)
    found = failed(work)
    assert check in found
    assert "page 1" in found[check] or "chunk-000001.json" in found[check]


def test_a_changed_cell_is_found_against_the_source_only(work: FinishedWork) -> None:
    forge(work, nothing, chunk=lambda rows: rows[0].update(name="Smith, Anne"))
    assert failed(work) == {}
    assert "chunk-000001.json, row 1: column 'name' differs" in failed(work, work.source)["source"]


def test_another_source_is_refused(work: FinishedWork, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(CSV.replace("Bob", "Rob"))
    assert "its sha256 is another one" in failed(work, other)["source"]
    assert "source" in failed(work, tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    "csv",
    [
        "a;b\n1;2\n",
        "a\tb\r\n1\t2\r\n\r\n3\t4",
        "\ufeffa,b\n1,2\n".encode(),
        "a,b\nä,ö\n".encode("cp1252"),
        "a,b\nä,ö\n".encode("utf-16"),
        "a,a,,_row\n1,2,3,4\n",
        'a,b\n"1,2\n3,4\n',
        b"a,b\n1,\x00\n\xff\xfe,2\n3,4\n",
        "region,enriched\nx,y\n",
        "a\n\n\n1\n\n\n",
    ],
)
def test_results_of_nasty_files_hold_against_their_source(tmp_path: Path, csv: str | bytes) -> None:
    work = FinishedWork(tmp_path, csv, page_rows=1)
    work.run()
    assert failed(work, work.source) == {}


def test_what_is_told_of_a_check_is_bounded() -> None:
    findings = Findings()
    for number in range(1_000):
        findings.problem("files", f"{number} {'x' * 10_000}")
    [check] = findings.checks()
    assert check.detail.endswith(f"and {1_000 - MAX_LISTED} more")
    assert len(check.detail) < 10_000
