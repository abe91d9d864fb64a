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


class ClaimSite:
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
def site(tmp_path: Path) -> ClaimSite:
    return ClaimSite(tmp_path)


def test_a_claimed_file_lies_under_its_id_with_a_receipt(site: ClaimSite) -> None:
    claimed = site.claims.claim(*site.drop())
    assert isinstance(claimed, Claimed)
    assert site.files() == [f".processing/{claimed.receipt.id}/users.csv"]
    assert site.receipts.read(claimed.receipt.id) == claimed.receipt
    source = claimed.receipt.source
    assert source.dialect
    assert (source.dialect.delimiter, source.dialect.encoding) == (",", "utf-8")
    status = (site.inbox / ".processing" / claimed.receipt.id / "users.csv").stat()
    assert (source.size_bytes, source.mtime_ns, source.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)


def test_a_file_replaced_after_it_was_hashed_is_not_claimed(site: ClaimSite) -> None:
    dropped = site.drop()
    site.drop(content=b"id\n9\n")
    assert site.claims.claim(*dropped) is None
    assert site.files() == ["users.csv"]
    assert (site.inbox / "users.csv").read_bytes() == b"id\n9\n"


def test_a_file_replaced_in_the_last_microsecond_is_put_back(site: ClaimSite) -> None:
    dropped = site.drop()
    path = site.inbox / "users.csv"

    def replace(name: str) -> None:
        if name == "claim.folder_made":
            hidden = path.with_name(".new")
            hidden.write_bytes(b"id\n9\n")
            hidden.replace(path)

    with watched(replace):
        assert site.claims.claim(*dropped) is None
    assert site.files() == ["users.csv"]
    assert path.read_bytes() == b"id\n9\n"


def test_a_file_written_to_while_it_is_renamed_is_put_back(site: ClaimSite) -> None:
    dropped = site.drop()

    def write(name: str) -> None:
        if name == "claim.renamed":
            next(site.inbox.glob(".processing/*/users.csv")).write_bytes(b"id\n1\n2\n3\n4\n5\n6\n7\n")

    with watched(write):
        assert site.claims.claim(*dropped) is None
    assert site.files() == ["users.csv"]


def test_a_file_that_is_gone_is_no_error_and_leaves_no_folder(site: ClaimSite) -> None:
    dropped = site.drop()
    (site.inbox / "users.csv").unlink()
    assert site.claims.claim(*dropped) is None
    assert list((site.inbox / ".processing").iterdir()) == []


def test_of_many_daemons_that_claim_at_once_one_wins(tmp_path: Path) -> None:
    for attempt in range(15):
        root = tmp_path / str(attempt)
        root.mkdir()
        site = ClaimSite(root)
        dropped = site.drop()
        results: list[object] = []
        begin = threading.Barrier(4)

        def claim(
            site: ClaimSite = site,
            dropped: tuple[Dropped, Identified] = dropped,
            results: list[object] = results,
            begin: threading.Barrier = begin,
        ) -> None:
            claims = site.daemon()
            begin.wait()
            results.append(claims.claim(*dropped))

        threads = [threading.Thread(target=claim) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        won = [each for each in results if isinstance(each, Claimed)]
        if not won:  # each stepped aside for another: the next scan takes it
            won = [found for found in [site.claims.claim(*dropped)] if isinstance(found, Claimed)]
        assert len(won) == 1
        assert site.files() == [f".processing/{won[0].receipt.id}/users.csv"]


def test_a_claimed_file_is_never_overwritten_by_a_second_one_of_its_identity(site: ClaimSite) -> None:
    first = site.claims.claim(*site.drop())
    assert isinstance(first, Claimed)
    (site.receipts.folder / f"{first.receipt.id}.json").unlink()
    assert site.claims.claim(*site.drop()) is None
    assert len(site.files()) == 2


def test_a_second_file_of_the_identity_is_a_duplicate_of_the_first(site: ClaimSite) -> None:
    first = site.claims.claim(*site.drop())
    second = site.claims.claim(*site.drop())
    assert isinstance(first, Claimed)
    assert isinstance(second, Duplicate)
    assert second.first == first.receipt


def test_a_receipt_whose_claim_was_lost_with_the_power_is_claimed_anew(site: ClaimSite) -> None:
    first = site.claims.claim(*site.drop())
    assert isinstance(first, Claimed)
    claimed = site.inbox / ".processing" / first.receipt.id
    (claimed / "users.csv").unlink()
    claimed.rmdir()
    assert isinstance(site.claims.claim(*site.drop()), Claimed)


def test_an_empty_folder_left_by_a_kill_is_no_obstacle(site: ClaimSite) -> None:
    first = site.claims.claim(*site.drop())
    assert isinstance(first, Claimed)
    claimed = site.inbox / ".processing" / first.receipt.id
    (claimed / "users.csv").unlink()
    (site.receipts.folder / f"{first.receipt.id}.json").unlink()
    assert isinstance(site.claims.claim(*site.drop()), Claimed)


@pytest.mark.parametrize("mtime_ns", [-(10**18), 0, 4 * 10**18, 2**62])
def test_a_time_of_change_of_any_century_is_no_obstacle(site: ClaimSite, mtime_ns: int) -> None:
    path = site.inbox / "users.csv"
    path.write_bytes(CSV)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    entry = entry_at(path)
    assert entry
    dropped = Dropped(name=b"users.csv", folder=site.inbox, fingerprint=entry.fingerprint)
    identified = identify(dropped, site.settings, threading.Event())
    assert isinstance(identified, Identified)
    claimed = site.claims.claim(dropped, identified)
    assert isinstance(claimed, Claimed)
    assert site.receipts.read(claimed.receipt.id) == claimed.receipt


def test_under_the_policy_content_the_first_name_gives_the_id(tmp_path: Path) -> None:
    site = ClaimSite(tmp_path, identity="content")
    first = site.claims.claim(*site.drop("b.csv"))
    second = site.daemon().claim(*site.drop("a.csv"))
    assert isinstance(first, Claimed)
    assert isinstance(second, Duplicate)
    assert first.receipt.id.startswith("b-")
    assert second.first == first.receipt


@pytest.mark.parametrize("identity", ["name+content", "content", "name"])
def test_a_file_whose_id_another_identity_has_gets_the_next_id_and_keeps_it(tmp_path: Path, identity: str) -> None:
    site = ClaimSite(tmp_path, identity=identity)
    first = site.claims.claim(*site.drop())
    assert isinstance(first, Claimed)
    taken = [first.receipt.id]
    for number in (1, 2):
        for each in taken:
            known = site.receipts.read(each)
            assert known
            site.receipts.write(replace(known, identity=Identity(policy="name", key="another")))
        claimed = site.daemon().claim(*site.drop())
        assert isinstance(claimed, Claimed)
        receipt = claimed.receipt
        assert receipt.id not in taken
        assert receipt.id == checked_id(receipt.id) == batch_id(b"users.csv", receipt.identity.key)
        assert receipt.identity.key.endswith(f"{COLLISION}{number}")
        again = site.daemon().claim(*site.drop())
        assert isinstance(again, Duplicate)
        assert again.first == receipt
        taken.append(receipt.id)
    assert len(site.files()) == 4


def test_a_receipt_that_was_made_up_for_a_lost_one_is_known_by_its_source(site: ClaimSite) -> None:
    first = site.claims.claim(*site.drop())
    assert isinstance(first, Claimed)
    site.receipts.write(replace(first.receipt, identity=Identity(policy="", key="")))
    assert isinstance(site.daemon().claim(*site.drop()), Duplicate)
