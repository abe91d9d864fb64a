"""Receipts are whole or absent, only move forward, and are found by any name of a batch."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from intake_site import Killed

from activities.disk.atomic_files import sweep
from activities.disk.failpoints import watched
from activities.registry.receipts import Receipt, Receipts, ReceiptState
from workflows.errors import InvalidBatchId, StorageFull, TransientError
from workflows.ids import batch_id, displayed
from workflows.models import Counts, Identity, Source

ENDS: list[ReceiptState] = ["completed", "failed", "cancelled"]
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def receipt(name: bytes = b"users.csv", number: int = 0, state: ReceiptState = "claimed") -> Receipt:
    identity = batch_id(name, f"{displayed(name)}{number}")
    source = Source(
        file=os.fsdecode(name), name=displayed(name), size_bytes=1, mtime_ns=2, inode=3, sha256=f"{number:064x}"
    )
    return Receipt(
        id=identity,
        workflow_id=f"batch-{identity}",
        identity=Identity(policy="name+content", key=f"{number}"),
        source=source,
        state=state,
        claimed_at=(START + timedelta(seconds=number)).isoformat(),
    )


@pytest.fixture
def receipts(tmp_path: Path) -> Receipts:
    return Receipts(tmp_path)


def test_a_receipt_comes_back_as_it_was_written_whatever_its_file_is_called(receipts: Receipts) -> None:
    for name in (b"users.csv", b"\xff\xfe.csv", b"new\nline.csv", "émoji-😀.csv".encode()):
        written = replace(receipt(name), counts=Counts(records=3, by_error={"http_500": 1}), reason="x" * 1_000)
        receipts.write(written)
        assert receipts.read(written.id) == written


def test_a_batch_without_a_receipt_has_none(receipts: Receipts) -> None:
    assert receipts.read("users-0123456789ab") is None
    assert receipts.find("users.csv") is None
    assert list(receipts.newest_first()) == []


def test_what_is_no_id_is_refused_before_it_touches_a_path(receipts: Receipts) -> None:
    with pytest.raises(InvalidBatchId):
        receipts.read("../../etc/passwd")


def test_a_later_state_is_never_undone_by_an_earlier_one(receipts: Receipts) -> None:
    ended = receipt(state="completed")
    assert receipts.write(ended)
    assert not receipts.write(replace(ended, state="running"))
    assert receipts.read(ended.id) == ended
    assert receipts.write(replace(ended, generation=2))


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_a_batch_that_has_ended_never_ends_another_way(
    receipts: Receipts, first: ReceiptState, second: ReceiptState
) -> None:
    ended = replace(receipt(state=first), generation=2)
    receipts.write(ended)
    assert receipts.write(replace(ended, state=second)) == (first == second)
    assert not receipts.write(replace(ended, generation=1)), "nor does its result go back to an earlier generation"
    assert receipts.read(ended.id) == ended


def test_many_writers_at_once_leave_the_latest_state(receipts: Receipts) -> None:
    states: list[ReceiptState] = ["claimed", "running", "failed", "running", "claimed"] * 4
    threads = [threading.Thread(target=receipts.write, args=(receipt(state=state),)) for state in states]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = receipts.read(receipt().id)
    assert found
    assert found.state == "failed"
    assert sorted(each.name for each in receipts.folder.iterdir()) == [".lock", f"{found.id}.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"id": 1}', b"\xff\xfe", b"[" * 100_000, b"x" * 2_000_000]
)
def test_a_torn_receipt_counts_as_none_and_is_told_of_once(
    receipts: Receipts, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    whole = receipt()
    receipts.write(whole)
    (receipts.folder / f"{whole.id}.json").write_bytes(content)
    for _ in range(3):
        assert receipts.read(whole.id) is None
    assert list(receipts.newest_first()) == []
    assert [each.getMessage() for each in caplog.records] == ["receipt.unreadable"]
    assert receipts.write(whole)
    assert receipts.read(whole.id) == whole


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_a_receipt_that_cannot_be_read_is_not_taken_for_none_nor_overwritten(receipts: Receipts, number: int) -> None:
    ended = receipt(state="completed")
    receipts.write(ended)

    def unreadable(name: str) -> None:
        if name == "receipt.open.before":
            raise OSError(number, os.strerror(number))

    with watched(unreadable):
        for ask in (receipts.read, receipts.find, receipts.latest_of):
            with pytest.raises(TransientError, match=os.strerror(number)):
                ask(ended.source.name if ask == receipts.latest_of else ended.id)
        with pytest.raises(TransientError):
            receipts.write(replace(ended, state="claimed"))
        assert list(receipts.newest_first()) == []
    assert receipts.read(ended.id) == ended


def test_a_receipt_under_the_name_of_another_counts_as_none(receipts: Receipts) -> None:
    receipts.write(receipt())
    other = receipts.folder / "users-0123456789ab.json"
    (receipts.folder / f"{receipt().id}.json").rename(other)
    assert receipts.read("users-0123456789ab") is None


def test_a_field_of_a_later_version_is_passed_over(receipts: Receipts) -> None:
    receipts.write(receipt())
    path = receipts.folder / f"{receipt().id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "good"}))
    assert receipts.read(receipt().id) == receipt()


def test_receipts_come_newest_claim_first_whenever_they_were_last_written(receipts: Receipts) -> None:
    for number in (2, 0, 1):
        receipts.write(receipt(number=number))
    receipts.write(receipt(number=0, state="completed"))
    assert [each.source.sha256[-1] for each in receipts.newest_first()] == ["2", "1", "0"]


def test_a_batch_is_found_by_id_workflow_id_beginning_and_file_name(receipts: Receipts) -> None:
    written = receipt()
    receipts.write(written)
    receipts.write(receipt(b"users-2.csv", 5))
    for name in (written.id, f"batch-{written.id}", written.id[:-3], f"batch-{written.id[:-3]}", "users.csv"):
        assert receipts.find(name) == written, name
    for name in ("", "users-x", "Users.csv", "../users.csv", "users.csv.bak", "batch-"):
        assert receipts.find(name) is None, name


def test_a_beginning_of_several_is_none_and_all_of_them_are_candidates(receipts: Receipts) -> None:
    for number in range(5):
        receipts.write(receipt(number=number))
    assert receipts.find("users-") is None
    assert len(receipts.candidates("users-", most=3)) == 3
    assert receipts.candidates("users-", most=9)[0].source.sha256[-1] == "4"


def test_a_file_name_means_its_latest_batch_and_no_other_name_of_the_same_slug(receipts: Receipts) -> None:
    for number in range(3):
        receipts.write(receipt(number=number))
    receipts.write(receipt(b"USERS.csv", 9))
    receipts.write(receipt(b"\xff.csv", 7))
    found = receipts.find("users.csv")
    assert found
    assert found.source.sha256[-1] == "2"
    assert receipts.latest_of(b"\xff.csv")
    assert receipts.latest_of("users") is None


def test_a_kill_at_any_step_of_a_write_leaves_the_old_receipt_or_the_new_one(receipts: Receipts) -> None:
    old, new = receipt(), receipt(state="completed")
    for step in range(1, 20):
        passed = 0

        def hook(_: str, step: int = step) -> None:
            nonlocal passed
            passed += 1
            if passed == step:
                raise Killed

        (receipts.folder / f"{old.id}.json").unlink(missing_ok=True)
        receipts.write(old)
        with watched(hook):
            try:
                receipts.write(new)
            except Killed:
                assert receipts.read(old.id) in [old, new]
                continue
        break
    assert receipts.read(old.id) == new


def test_a_full_disk_is_told_by_name_and_the_old_receipt_stays(receipts: Receipts) -> None:
    receipts.write(receipt())

    def full(name: str) -> None:
        if name == "receipt.write.before":
            raise OSError(28, "No space left on device")

    with watched(full), pytest.raises(StorageFull):
        receipts.write(receipt(state="running"))
    assert receipts.read(receipt().id) == receipt()


def test_what_a_killed_writer_left_is_swept_away_and_nothing_else(receipts: Receipts) -> None:
    receipts.write(receipt())
    (receipts.folder / ".tmp-1-abcd").write_text("torn")
    sweep(receipts.folder)
    assert (receipts.folder / ".tmp-1-abcd").exists(), "it may still be written to"
    sweep(receipts.folder, older_than_s=0.0)
    assert sorted(each.name for each in receipts.folder.iterdir()) == [".lock", f"{receipt().id}.json"]
