"""Results forged by somebody who knows the format: every digest is right, and what they claim is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from finished_work import FinishedWork
from test_verification import failed, forge

from activities.manifest_reading import newest_generation


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    finished = FinishedWork(tmp_path)
    finished.run()
    return finished


def drop_last_chunk(work: FinishedWork, manifest: dict[str, Any]) -> None:
    dropped = manifest["chunks"].pop()
    (work.directory / dropped["file"]).unlink()
    manifest["source"]["bytes"] = manifest["chunks"][-1]["source_end"]
    manifest["counts"]["records"] -= dropped["rows"]
    manifest["counts"]["enriched"] -= dropped["enriched"]


def drop_everything(work: FinishedWork, manifest: dict[str, Any]) -> None:
    for listed in (*manifest["chunks"], *manifest["rejected_files"]):
        (work.directory / listed["file"]).unlink()
    manifest["chunks"], manifest["rejected_files"] = [], []
    manifest["counts"] = {"records": 0, "enriched": 0, "fallback": 0, "rejected": 0, "by_error": {}}
    manifest["status"] = "complete"


def test_a_result_whose_tail_was_cut_off_is_found_against_its_source(work: FinishedWork) -> None:
    forge(work, lambda manifest: drop_last_chunk(work, manifest))
    assert failed(work) == {}, "nothing in the folder says how long the source was"
    assert "users.csv has 99 bytes, the manifest says 90" in failed(work, work.source)["source"]


def test_a_result_that_lost_every_chunk_is_found(work: FinishedWork) -> None:
    forge(work, lambda manifest: drop_everything(work, manifest))
    assert "no chunk covers the bytes 16 to 99 of the source" in failed(work)["ranges"]
    forge(work, lambda manifest: manifest["source"].update(bytes=16))
    assert "users.csv has 99 bytes, the manifest says 16" in failed(work, work.source)["source"]


def test_a_result_that_takes_the_whole_file_for_its_header_is_found_against_its_source(work: FinishedWork) -> None:
    forge(work, lambda manifest: drop_everything(work, manifest))
    forge(work, lambda manifest: manifest["dialect"].update(data_start=99))
    assert "header is not read as the manifest says" in failed(work, work.source)["source"]


@pytest.mark.parametrize("content", [b"id,name", b"id,name\n", b"\n\nid,name\r\n\r\n\r\n", b"\xef\xbb\xbfid,name\n\n"])
def test_a_file_without_records_holds_with_and_without_its_source(tmp_path: Path, content: bytes) -> None:
    work = FinishedWork(tmp_path, content)
    work.run()
    assert failed(work) == failed(work, work.source) == {}


@pytest.mark.parametrize("generation", ["1", "01", "02", "\uff11"])
@pytest.mark.parametrize("kind", ["file", "folder", "symlink"])
def test_a_name_that_only_looks_like_a_manifest_is_found(work: FinishedWork, generation: str, kind: str) -> None:
    work.retry()
    name = f"manifest-g{generation}.json"
    planted = work.directory / name
    if kind == "file":
        planted.write_bytes((work.directory / "manifest-g2.json").read_bytes())
    elif kind == "folder":
        planted.mkdir()
    else:
        planted.symlink_to("manifest-g2.json")
    assert failed(work) == {"nothing else": f"{name!a} is listed by no manifest"}


def test_a_manifest_far_ahead_is_found_at_once_with_the_first_generation_that_is_missing(work: FinishedWork) -> None:
    (work.directory / "manifest-g999999999.json").touch()
    (work.directory / "manifest-g5.json").touch()
    found = failed(work)
    assert found["generations"] == "manifest-g2.json is missing, manifest-g999999999.json is there"
    assert "manifest-g999999999.json is no JSON" in found["manifest"]


def test_a_name_that_only_looks_like_a_manifest_is_not_taken_for_the_newest(work: FinishedWork) -> None:
    for name in ("manifest-g02.json", "manifest-g\u0663.json", "manifest-g0.json"):
        (work.directory / name).touch()
    with work.open() as folder:
        assert newest_generation(folder) == 1
