"""Results forged by somebody who knows the format: every digest is right, and what they claim is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from finished_work import NAME, FinishedWork
from forging import failed, forge

from activities.manifest.facts import gaps
from activities.manifest.identity_proof import COLLISION, RERUN
from activities.manifest.reader import newest_generation, saved_pages
from workflows.ids import IdentityPolicy, batch_id, identity_key
from workflows.models import Control


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


def rename(work: FinishedWork, listed: dict[str, Any], name: str) -> None:
    (work.directory / listed["file"]).rename(work.directory / name)
    listed["file"] = name


def swap_chunks(work: FinishedWork, manifest: dict[str, Any]) -> None:
    first, second = manifest["chunks"][:2]
    rename(work, first, "aside")
    rename(work, second, "chunk-000001.json")
    rename(work, first, "chunk-000002.json")


def number_pages(manifest: dict[str, Any], numbers: list[int], work: FinishedWork) -> None:
    for chunk, number in reversed(list(zip(manifest["chunks"], numbers, strict=True))):
        rename(work, chunk, f"chunk-{number:06d}.json")
        for rejected in manifest["rejected_files"]:
            if rejected["page"] == chunk["page"]:
                rename(work, rejected, f"rejected-{number:06d}.json")
                rejected["page"] = number
        chunk["page"] = number


def test_chunks_under_each_others_names_are_found(work: FinishedWork) -> None:
    forge(work, lambda manifest: swap_chunks(work, manifest))
    assert "'chunk-000002.json' is not the name of the chunk of page 1" in failed(work)["manifest"]


@pytest.mark.parametrize(
    "name",
    [
        "rejected-000009-g7.json",
        "rejected-000003.json",
        "chunk-000003-g2.json",
        "chunk-000003-g1.json",
        "chunk-0000003.json",
        "chunk-00000\uff13.json",
        "chunk-000003.json\n",
        "manifest-g1.json",
    ],
)
def test_a_chunk_under_a_name_that_is_not_its_own_is_found(work: FinishedWork, name: str) -> None:
    forge(work, lambda manifest: rename(work, manifest["chunks"][2], name))
    assert f"{name!a} is not the name of the chunk of page 3" in failed(work)["manifest"]


@pytest.mark.parametrize("name", ["rejected-000002.json", "chunk-000009.json", "rejected-000001-g2.json"])
def test_rejected_records_under_a_name_that_is_not_theirs_are_found(work: FinishedWork, name: str) -> None:
    forge(work, lambda manifest: rename(work, manifest["rejected_files"][0], name))
    assert f"{name!a} is not the name of the rejected records of page 1" in failed(work)["manifest"]


@pytest.mark.parametrize("numbers", [[2, 3, 4], [1, 2, 4], [0, 1, 2]])
def test_pages_that_are_not_numbered_from_one_on_are_found(work: FinishedWork, numbers: list[int]) -> None:
    forge(work, lambda manifest: number_pages(manifest, numbers, work))
    assert "pages are not numbered 1 to 3" in failed(work)["ranges"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"id": "users-0123456789ab", "workflow_id": "batch-users-0123456789ab"}, "its id does not follow"),
        ({"workflow_id": "batch-others-0123456789ab"}, "its workflow_id is not"),
        ({"identity": {"policy": "name+content", "key": "name+content:users.csv"}}, "its identity is not"),
        ({"identity": {"policy": "size", "key": "99"}}, "manifest.identity.policy is none of"),
        ({"mode": "by-hand"}, "manifest.mode is none of 'cursor', 'in-memory'"),
        ({"status": "finished"}, "manifest.status is none of"),
    ],
)
def test_a_name_that_does_not_follow_from_the_source_is_found(
    work: FinishedWork, change: dict[str, Any], what: str
) -> None:
    forge(work, lambda manifest: manifest.update(change))
    assert what in failed(work)["manifest"]


@pytest.mark.parametrize("policy", ["name+content", "content", "name"])
@pytest.mark.parametrize("rerun", ["", f"{RERUN}1", f"{RERUN}12", f"{COLLISION}1", f"{COLLISION}2{RERUN}1"])
def test_every_way_to_name_a_batch_holds_and_no_other_identity_does(
    work: FinishedWork, policy: IdentityPolicy, rerun: str
) -> None:
    name = b"first.csv" if policy == "content" else NAME.encode()
    key = identity_key(policy, name=NAME.encode(), sha256=work.batch.source.sha256) + rerun

    def claim(manifest: dict[str, Any], key: str) -> None:
        identity = batch_id(name, key)
        manifest["identity"] = {"policy": policy, "key": key}
        manifest["id"], manifest["workflow_id"] = identity, f"batch-{identity}"

    forge(work, lambda manifest: claim(manifest, key))
    assert failed(work) == {}
    for other in (f"{key}x", f"{key}{RERUN}", f"{key}{COLLISION}", f"x{key}", key.partition(":")[2]):
        forge(work, lambda manifest, other=other: claim(manifest, other))
        assert f"its identity is not that of its source by {policy}" in failed(work)["manifest"]


def test_the_workflow_of_a_later_generation_has_its_number(work: FinishedWork) -> None:
    work.retry()
    assert failed(work) == {}


@pytest.fixture
def cancelled(tmp_path: Path) -> FinishedWork:
    """Only the page in the middle is done."""
    work = FinishedWork(tmp_path)
    work.work([work.pages[1]])
    work.finish(cancelled=Control())
    return work


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"page": 1, "first_row": 1, "last_row": 3, "source_start": 0}, "starts before the first record"),
        ({"page": 3, "first_row": 7, "last_row": 9, "source_end": 100}, "ends behind the end of the source"),
        ({"page": 2, "first_row": 1, "last_row": 3}, "page 2: what is missing before it does not fit"),
        ({"page": 1}, "page 1: what is missing before it does not fit"),
        ({"source_start": 16}, "page 2: what is missing before it does not fit"),
        ({"source_start": 90}, "page 2 covers no bytes"),
    ],
)
def test_a_cancelled_result_that_is_not_within_its_source_is_found(
    cancelled: FinishedWork, change: dict[str, int], what: str
) -> None:
    assert failed(cancelled, cancelled.source) == {}

    def move(manifest: dict[str, Any]) -> None:
        [chunk] = manifest["chunks"]
        chunk.update(change)
        rename(cancelled, chunk, f"chunk-{chunk['page']:06d}.json")
        manifest["gaps"] = gaps(saved_pages(manifest), manifest["dialect"]["data_start"], manifest["source"]["bytes"])

    forge(cancelled, move)
    assert what in failed(cancelled)["ranges"]
