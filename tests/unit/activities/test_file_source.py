"""At the end of a batch its source lies in one place, with the reason beside it where it did not end well."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from claims import CSV, Claim
from intake_site import Killed

from activities.disk import moves as moving
from activities.disk.failpoints import watched
from activities.disk.moves import rename_where_free
from workflows.errors import StorageFull
from workflows.models import BatchRef, Counts, CsvOptions, Outcome


@pytest.fixture
def claim(tmp_path: Path) -> Claim:
    return Claim(tmp_path)


def test_the_source_of_a_completed_batch_is_archived_and_its_receipt_closed(claim: Claim) -> None:
    claim.file("completed", manifest="manifest.json", started_at="2026-01-02T03:04:06+00:00")
    assert claim.files() == [f"archive/{claim.id}/users.csv"]
    assert not claim.folder.exists()
    receipt = claim.receipt()
    assert receipt.state == "completed"
    assert receipt.archived_as == f"archive/{claim.id}/users.csv"
    assert receipt.manifest == "manifest.json"
    assert receipt.counts == Counts(records=5, enriched=5)
    assert receipt.started_at == "2026-01-02T03:04:06+00:00"
    assert receipt.finished_at


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_what_did_not_end_well_lies_beside_its_reason(claim: Claim, outcome: Outcome) -> None:
    claim.file(outcome, reason="users.csv line 812: 5 fields, the header has 6", error_type="InvalidCsv")
    folder = f"failed/{claim.id}"
    assert claim.files() == [f"{folder}/REASON.json", f"{folder}/REASON.txt", f"{folder}/users.csv"]
    reason = json.loads((claim.inbox / folder / "REASON.json").read_text())
    assert reason["outcome"] == outcome
    assert reason["line"] == 812
    assert reason["id"] == claim.id
    assert reason["retry"].startswith(f"batchctl rerun {claim.id}")
    text = (claim.inbox / folder / "REASON.txt").read_text()
    for words in ("users.csv", "line 812", "Mend:", f"batchctl rerun {claim.id}", f"/tmp/batch-{claim.id}"):
        assert words in text
    assert claim.receipt().state == outcome
    assert claim.receipt().reason == "users.csv line 812: 5 fields, the header has 6"


@pytest.mark.parametrize("name", [b"\xff\xfe.csv", b"new\nline.csv", b"\x1b[31m.csv", b"l" * 255, b"REASON.txt"])
def test_any_name_is_filed_and_cannot_steer_a_terminal(tmp_path: Path, name: bytes) -> None:
    claim = Claim(tmp_path, name)
    claim.file("failed", reason="a\x1b[2Jb")
    folder = claim.inbox / "failed" / claim.id
    assert len(list(folder.iterdir())) == 3
    assert b"\x1b" not in (folder / "REASON.txt").read_bytes()
    assert claim.receipt().archived_as


def test_a_file_called_like_the_reason_is_kept_beside_it(tmp_path: Path) -> None:
    claim = Claim(tmp_path, b"REASON.txt")
    claim.file("failed", reason="x")
    kept = [each for each in (claim.inbox / "failed" / claim.id).iterdir() if each.read_bytes() == CSV]
    assert len(kept) == 1


def test_filing_twice_leaves_what_once_left(claim: Claim) -> None:
    claim.file("completed", manifest="manifest.json")
    before = claim.receipt()
    claim.file("completed", manifest="manifest.json")
    assert claim.receipt() == before
    assert claim.files() == [f"archive/{claim.id}/users.csv"]


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_killed_at_any_step_filing_again_ends_the_same(tmp_path: Path, outcome: Outcome) -> None:
    for step in range(1, 50):
        claim = Claim(tmp_path / str(step))
        passed = 0

        def hook(_: str, step: int = step) -> None:
            nonlocal passed
            passed += 1
            if passed == step:
                raise Killed

        killed = False
        with watched(hook):
            try:
                claim.file(outcome, reason="x")
            except Killed:
                killed = True
        assert len([each for each in claim.files() if each.endswith("users.csv")]) == 1
        claim.file(outcome, reason="x")
        assert len(claim.files()) == (1 if outcome == "completed" else 3)
        assert claim.receipt().state == outcome
        assert claim.receipt().archived_as
        assert not claim.folder.exists()
        if not killed:
            assert step > 5
            return


def test_a_full_disk_is_told_by_name_and_the_source_stays_claimed(claim: Claim) -> None:
    def full(name: str) -> None:
        if name == "reason.write.before":
            raise OSError(28, "No space left on device")

    with watched(full), pytest.raises(StorageFull):
        claim.file("failed", reason="x")
    assert (claim.folder / "users.csv").exists()
    assert claim.receipt().state == "running"


def test_a_source_that_is_gone_still_ends_the_batch(claim: Claim, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (claim.folder / "users.csv").unlink()
    claim.file("failed", reason="the file is gone", error_type="SourceVanished")
    assert claim.receipt().state == "failed"
    assert claim.receipt().archived_as is None
    assert [each.getMessage() for each in caplog.records] == ["source.gone", "batch.failed"]


@pytest.mark.parametrize("second", ["failed", "cancelled"])
def test_what_has_ended_is_not_filed_another_way(
    claim: Claim, second: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    claim.file("completed", manifest="manifest.json")
    before = claim.receipt()
    claim.file(second, reason="the file is gone", error_type="SourceVanished")
    assert claim.receipt() == before
    assert claim.files() == [f"archive/{claim.id}/users.csv"]
    assert [each.getMessage() for each in caplog.records] == ["batch.ended_before"]


def test_filing_again_takes_nothing_back_of_a_later_generation(claim: Claim) -> None:
    claim.file("completed", manifest="manifest.json")
    batch = BatchRef(id=claim.id, source=claim.source, csv=CsvOptions(), generation=2)
    claim.file("completed", batch=batch, manifest="manifest-g2.json", counts=Counts(records=5, enriched=4))
    before = claim.receipt()
    claim.file("completed", manifest="manifest.json")
    assert claim.receipt() == before


def test_a_lost_receipt_is_made_up_so_that_the_file_stays_a_duplicate(claim: Claim) -> None:
    (claim.receipts.folder / f"{claim.id}.json").unlink()
    claim.file("completed")
    assert claim.receipt().state == "completed"


def test_a_ready_marker_goes_along_with_its_file(claim: Claim) -> None:
    (claim.folder / "users.csv.done").touch()
    claim.file("completed")
    assert claim.files() == [f"archive/{claim.id}/users.csv", f"archive/{claim.id}/users.csv.done"]


def test_a_later_generation_moves_nothing_and_names_its_manifest(claim: Claim) -> None:
    claim.file("completed", manifest="manifest.json")
    batch = BatchRef(id=claim.id, source=claim.source, csv=CsvOptions(), generation=2)
    claim.file("completed", batch=batch, manifest="manifest-g2.json", counts=Counts(records=5, enriched=4))
    assert claim.receipt().manifest == "manifest-g2.json"
    assert claim.receipt().generation == 2
    before = claim.receipt()
    claim.file("failed", batch=replace(batch, generation=3), reason="x")
    assert claim.receipt() == before
    assert claim.files() == [f"archive/{claim.id}/users.csv"]


def test_a_later_generation_of_a_cancelled_batch_brings_its_receipt_up_to_date(claim: Claim) -> None:
    claim.file("cancelled", manifest="manifest.json", counts=Counts(records=5, fallback=5))
    batch = BatchRef(id=claim.id, source=claim.source, csv=CsvOptions(), generation=2)
    claim.file("cancelled", batch=batch, manifest="manifest-g2.json", counts=Counts(records=5, enriched=5))
    receipt = claim.receipt()
    assert (receipt.state, receipt.generation, receipt.counts.enriched) == ("cancelled", 2, 5)


def test_a_taken_name_in_the_archive_is_never_overwritten(claim: Claim) -> None:
    taken = claim.inbox / "archive" / claim.id / "users.csv"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"other")
    claim.file("completed")
    assert taken.read_bytes() == b"other"
    assert (taken.parent / "users.1.csv").read_bytes() == CSV


def test_a_rename_refuses_a_taken_name_whatever_stands_there(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(CSV)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("file", "folder", "dangling"):
        with pytest.raises(FileExistsError):
            rename_where_free(source, tmp_path / name)
    with pytest.raises(FileNotFoundError):
        rename_where_free(tmp_path / "missing", tmp_path / "b")
    rename_where_free(source, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == CSV


def test_a_move_to_another_file_system_is_a_whole_copy_under_a_free_name(tmp_path: Path) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "archive" / "a.csv"
    target.parent.mkdir()
    source.write_bytes(CSV)
    os.utime(source, ns=(5, 7))
    moving._copy_and_remove(source, target)
    assert target.read_bytes() == CSV
    assert target.stat().st_mtime_ns == 7
    assert not source.exists()
    source.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        moving._copy_and_remove(source, target)
    assert source.read_bytes() == b"other"
    assert [each.name for each in target.parent.iterdir()] == ["a.csv"]
