"""Whoever renames first has the file; whoever comes second loses nothing."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from intake_site import CSV

from activities.disk.failpoints import watched
from activities.manifest.identity_proof import COLLISION
from activities.registry.receipts import Receipts
from daemon.config.settings import Settings
from daemon.intake.admit.claim import Claimed, Claims, Duplicate
from daemon.intake.admit.identify import Identified, identify
from daemon.intake.observe.entries import Dropped, entry_at
from workflows.ids import batch_id, checked_id
from workflows.models import Identity


class Desk:
    def __init__(self, root: Path, **settings: str) -> None:
        self.inbox = root / "inbox"
        self.inbox.mkdir()
        self.settings = Settings(inbox=self.inbox, state_dir=root / "state", output_root=root, **settings)  # type: ignore[arg-type]
        self.receipts = Receipts(self.settings.state_dir)
        self.claims = self.daemon()

    def daemon(self) -> Claims:
        return Claims(self.settings, self.receipts)

    def drop(self, name: str = "users.csv", content: bytes = CSV) -> tuple[Dropped, Identified]:
        path = self.inbox / name
        path.write_bytes(content)
        entry = entry_at(path)
        assert entry
        dropped = Dropped(name=os.fsencode(name), folder=self.inbox, fingerprint=entry.fingerprint)
        identified = identify(dropped, self.settings, threading.Event())
        assert isinstance(identified, Identified)
        return dropped, identified

    def files(self) -> list[str]:
        found = (each for each in self.inbox.rglob("*") if each.is_file())
        return sorted(str(each.relative_to(self.inbox)) for each in found)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_claimed_file_lies_under_its_id_with_a_receipt(desk: Desk) -> None:
    claimed = desk.claims.claim(*desk.drop())
    assert isinstance(claimed, Claimed)
    assert desk.files() == [f".processing/{claimed.receipt.id}/users.csv"]
    assert desk.receipts.read(claimed.receipt.id) == claimed.receipt
    source = claimed.receipt.source
    assert source.dialect
    assert (source.dialect.delimiter, source.dialect.encoding) == (",", "utf-8")
    status = (desk.inbox / ".processing" / claimed.receipt.id / "users.csv").stat()
    assert (source.size_bytes, source.mtime_ns, source.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)


def test_a_file_replaced_after_it_was_hashed_is_not_claimed(desk: Desk) -> None:
    dropped = desk.drop()
    desk.drop(content=b"id\n9\n")
    assert desk.claims.claim(*dropped) is None
    assert desk.files() == ["users.csv"]
    assert (desk.inbox / "users.csv").read_bytes() == b"id\n9\n"


def test_a_file_replaced_in_the_last_microsecond_is_put_back(desk: Desk) -> None:
    dropped = desk.drop()
    path = desk.inbox / "users.csv"

    def replace(name: str) -> None:
        if name == "claim.folder_made":
            hidden = path.with_name(".new")
            hidden.write_bytes(b"id\n9\n")
            hidden.replace(path)

    with watched(replace):
        assert desk.claims.claim(*dropped) is None
    assert desk.files() == ["users.csv"]
    assert path.read_bytes() == b"id\n9\n"


def test_a_file_written_to_while_it_is_renamed_is_put_back(desk: Desk) -> None:
    dropped = desk.drop()

    def write(name: str) -> None:
        if name == "claim.renamed":
            next(desk.inbox.glob(".processing/*/users.csv")).write_bytes(b"id\n1\n2\n3\n4\n5\n6\n7\n")

    with watched(write):
        assert desk.claims.claim(*dropped) is None
    assert desk.files() == ["users.csv"]


def test_a_file_that_is_gone_is_no_error_and_leaves_no_folder(desk: Desk) -> None:
    dropped = desk.drop()
    (desk.inbox / "users.csv").unlink()
    assert desk.claims.claim(*dropped) is None
    assert list((desk.inbox / ".processing").iterdir()) == []


def test_of_many_daemons_that_claim_at_once_one_wins(tmp_path: Path) -> None:
    for attempt in range(15):
        root = tmp_path / str(attempt)
        root.mkdir()
        desk = Desk(root)
        dropped = desk.drop()
        results: list[object] = []
        begin = threading.Barrier(4)

        def claim(desk: Desk = desk, dropped: tuple[Dropped, Identified] = dropped, results: list[object] = results,
                  begin: threading.Barrier = begin) -> None:  # fmt: skip
            claims = desk.daemon()
            begin.wait()
            results.append(claims.claim(*dropped))

        threads = [threading.Thread(target=claim) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        won = [each for each in results if isinstance(each, Claimed)]
        if not won:  # each stepped aside for another: the next scan takes it
            won = [found for found in [desk.claims.claim(*dropped)] if isinstance(found, Claimed)]
        assert len(won) == 1
        assert desk.files() == [f".processing/{won[0].receipt.id}/users.csv"]


def test_a_claimed_file_is_never_overwritten_by_a_second_one_of_its_identity(desk: Desk) -> None:
    first = desk.claims.claim(*desk.drop())
    assert isinstance(first, Claimed)
    (desk.receipts.folder / f"{first.receipt.id}.json").unlink()
    assert desk.claims.claim(*desk.drop()) is None
    assert len(desk.files()) == 2


def test_a_second_file_of_the_identity_is_a_duplicate_of_the_first(desk: Desk) -> None:
    first = desk.claims.claim(*desk.drop())
    second = desk.claims.claim(*desk.drop())
    assert isinstance(first, Claimed)
    assert isinstance(second, Duplicate)
    assert second.first == first.receipt


def test_a_receipt_whose_claim_was_lost_with_the_power_is_claimed_anew(desk: Desk) -> None:
    first = desk.claims.claim(*desk.drop())
    assert isinstance(first, Claimed)
    claimed = desk.inbox / ".processing" / first.receipt.id
    (claimed / "users.csv").unlink()
    claimed.rmdir()
    assert isinstance(desk.claims.claim(*desk.drop()), Claimed)


def test_an_empty_folder_left_by_a_kill_is_no_obstacle(desk: Desk) -> None:
    first = desk.claims.claim(*desk.drop())
    assert isinstance(first, Claimed)
    claimed = desk.inbox / ".processing" / first.receipt.id
    (claimed / "users.csv").unlink()
    (desk.receipts.folder / f"{first.receipt.id}.json").unlink()
    assert isinstance(desk.claims.claim(*desk.drop()), Claimed)


@pytest.mark.parametrize("mtime_ns", [-(10**18), 0, 4 * 10**18, 2**62])
def test_a_time_of_change_of_any_century_is_no_obstacle(desk: Desk, mtime_ns: int) -> None:
    path = desk.inbox / "users.csv"
    path.write_bytes(CSV)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    entry = entry_at(path)
    assert entry
    dropped = Dropped(name=b"users.csv", folder=desk.inbox, fingerprint=entry.fingerprint)
    identified = identify(dropped, desk.settings, threading.Event())
    assert isinstance(identified, Identified)
    claimed = desk.claims.claim(dropped, identified)
    assert isinstance(claimed, Claimed)
    assert desk.receipts.read(claimed.receipt.id) == claimed.receipt


def test_under_the_policy_content_the_first_name_gives_the_id(tmp_path: Path) -> None:
    desk = Desk(tmp_path, identity="content")
    first = desk.claims.claim(*desk.drop("b.csv"))
    second = desk.daemon().claim(*desk.drop("a.csv"))
    assert isinstance(first, Claimed)
    assert isinstance(second, Duplicate)
    assert first.receipt.id.startswith("b-")
    assert second.first == first.receipt


@pytest.mark.parametrize("identity", ["name+content", "content", "name"])
def test_a_file_whose_id_another_identity_has_gets_the_next_id_and_keeps_it(tmp_path: Path, identity: str) -> None:
    desk = Desk(tmp_path, identity=identity)
    first = desk.claims.claim(*desk.drop())
    assert isinstance(first, Claimed)
    taken = [first.receipt.id]
    for number in (1, 2):
        for each in taken:
            known = desk.receipts.read(each)
            assert known
            desk.receipts.write(replace(known, identity=Identity(policy="name", key="another")))
        claimed = desk.daemon().claim(*desk.drop())
        assert isinstance(claimed, Claimed)
        receipt = claimed.receipt
        assert receipt.id not in taken
        assert receipt.id == checked_id(receipt.id) == batch_id(b"users.csv", receipt.identity.key)
        assert receipt.identity.key.endswith(f"{COLLISION}{number}")
        again = desk.daemon().claim(*desk.drop())
        assert isinstance(again, Duplicate)
        assert again.first == receipt
        taken.append(receipt.id)
    assert len(desk.files()) == 4


def test_a_receipt_that_was_made_up_for_a_lost_one_is_known_by_its_source(desk: Desk) -> None:
    first = desk.claims.claim(*desk.drop())
    assert isinstance(first, Claimed)
    desk.receipts.write(replace(first.receipt, identity=Identity(policy="", key="")))
    assert isinstance(desk.daemon().claim(*desk.drop()), Duplicate)
