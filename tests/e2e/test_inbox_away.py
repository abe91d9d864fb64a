"""An inbox that is not there is waited for, visibly, and nobody but the operator makes one."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, api, eventually, manifest_of, rows_of, users
from intake_site import CSV, MakeSite
from pinned_files import nobody, opened, pinned

from activities.file_source import file_source
from activities.registry.receipts import Receipts
from activities.source.inbox import make_in
from daemon.intake.leader import Leadership
from workflows.errors import InboxMissing, SourceUnreadable, SourceVanished
from workflows.models import BatchRef, CsvOptions, Outcome
from workflows.requests import FileSource

Make = Callable[..., Installation]
ID = "users-0123456789ab"


@pytest.fixture
def claimed(tmp_path: Path) -> Path:
    return claim_in(tmp_path)


def claim_in(root: Path) -> Path:
    file = root / "inbox" / ".processing" / ID / "users.csv"
    file.parent.mkdir(parents=True)
    file.write_text(users(3))
    return file


@pytest.mark.parametrize("missing", ["inbox", "inbox/.processing", f"inbox/.processing/{ID}"])
def test_a_folder_that_is_not_there_says_nothing_about_the_file_in_it(
    claimed: Path, tmp_path: Path, missing: str
) -> None:
    pin, folder, away = pinned(claimed), tmp_path / missing, tmp_path / "away"
    with opened(claimed, pin) as source:
        folder.rename(away)
        for use in (source.check_unchanged, lambda: opened(claimed, pin)):
            with pytest.raises(InboxMissing, match=f"^{folder} is not there on "):
                use()
        away.rename(folder)
        source.check_unchanged()
    opened(claimed, pin).close()


def test_a_file_that_was_taken_out_of_its_folder_is_gone_for_good(claimed: Path) -> None:
    claimed.unlink()
    with pytest.raises(SourceVanished):
        opened(claimed)


def test_a_folder_that_may_not_be_entered_is_waited_for_and_a_file_that_may_not_be_read_is_not() -> None:
    with tempfile.TemporaryDirectory() as root:
        claimed = claim_in(Path(root))
        claimed.chmod(0)
        for folder in list(claimed.parents)[:4]:
            folder.chmod(0o755)
        with nobody(), pytest.raises(SourceUnreadable):
            opened(claimed)
        inbox = Path(root) / "inbox"
        inbox.chmod(0)
        with nobody(), pytest.raises(InboxMissing, match=r"cannot be entered on .*Permission denied"):
            opened(claimed)
        inbox.chmod(0o700)


@pytest.mark.parametrize("outcome", ["completed", "failed", "cancelled"])
def test_filing_waits_for_an_inbox_that_is_away_and_makes_none(claimed: Path, tmp_path: Path, outcome: Outcome) -> None:
    inbox, away, receipts = tmp_path / "inbox", tmp_path / "away", Receipts(tmp_path / "state")
    batch = BatchRef(id=ID, source=pinned(claimed), csv=CsvOptions())
    request = FileSource(batch=batch, outcome=outcome, reason="x")
    inbox.rename(away)
    with pytest.raises(InboxMissing, match=f"^{inbox} is not there on "):
        file_source(inbox, receipts, request)
    assert not inbox.exists()
    inbox.mkdir()  # what an unmounted file system leaves behind
    with pytest.raises(InboxMissing, match=f"^{inbox}/.processing is not there on "):
        file_source(inbox, receipts, request)
    assert list(inbox.iterdir()) == []
    assert receipts.read(ID) is None

    inbox.rmdir()
    away.rename(inbox)
    file_source(inbox, receipts, request)
    receipt = receipts.read(ID)
    assert receipt
    assert receipt.archived_as
    assert (inbox / receipt.archived_as).is_file()


def test_a_folder_of_the_inbox_is_made_and_the_inbox_is_not(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_in(tmp_path / "inbox", "archive", ID)
    with pytest.raises(FileNotFoundError):
        Leadership(tmp_path / "inbox").holds()
    assert list(tmp_path.iterdir()) == []
    assert make_in(tmp_path, "archive", ID) == make_in(tmp_path, "archive", ID) == tmp_path / "archive" / ID


async def test_a_file_in_hand_when_the_inbox_goes_is_taken_when_it_comes_back(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site()
    site.drop("users.csv")
    site.drop("again.csv", CSV + b"1,x\n")
    await site.scan()
    away = site.inbox.with_name("away")
    site.inbox.rename(away)
    await site.settle()
    assert not site.inbox.exists()
    away.rename(site.inbox)
    await site.settle()
    assert len(site.temporal.started) == 2


@pytest.mark.parametrize("mode", ["cursor", "in-memory"])
def test_a_batch_whose_inbox_is_renamed_away_in_mid_work_waits_and_goes_on(installation: Make, mode: str) -> None:
    site = installation(
        BATCH_IN_MEMORY_MAX_BYTES="0" if mode == "cursor" else "262144",
        BATCH_PAGE_ROWS="20",
        BATCH_API_CONCURRENCY="4",
    )
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    service = site.batchd()
    site.drop("users.csv", users(400))
    eventually(lambda: api(base, "/calls")["total"] > 40, "calls are being made")
    away = site.inbox.with_name("away")
    site.inbox.rename(away)

    status = eventually(lambda: _waiting(site), "the batch waits")
    assert status["waiting_on"].startswith(f"inbox: {site.inbox} is not there on ")
    assert "waiting (inbox)" in site.batchctl("list").stdout
    assert eventually(lambda: service.logged("inbox.lost"), "the daemon misses it too")
    assert not site.inbox.exists()
    away.rename(site.inbox)

    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 401))
    assert manifest_of(folder)["counts"]["enriched"] == 400
    assert len(list(site.inbox.glob("archive/users-*/users.csv"))) == 1
    assert list(site.inbox.glob("inbox")) + list(site.inbox.glob("away")) == []
    assert [each["on"] for each in service.logged("batch.waiting")] == ["inbox"]
    assert "Traceback" not in service.log.read_text()
    assert max(api(base, "/calls")["repeated"].values(), default=1) <= 2


def test_a_worker_without_the_inbox_fails_no_batch_and_leaves_nothing_of_it_behind(installation: Make) -> None:
    site, stranger = installation(BATCH_PAGE_ROWS="10"), installation("stranger")
    site.mock_api()
    site.temporal()
    stranger.inbox.rmdir()
    for name in ("TEMPORAL_ADDRESS", "BATCH_API_URL"):
        stranger.set(**{name: site.env[name]})
    worker = stranger.batchd("work")
    site.batchd("watch", name="watch")
    site.drop("users.csv", users(30))
    eventually(lambda: _waiting(site), "it waits: only the stranger works")
    assert worker.stop() == 0
    site.batchd("work", name="work")

    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 31))
    assert stranger.outputs() == []
    assert not stranger.inbox.exists()
    assert list(stranger.state_dir.glob("receipts/*")) == []


def test_a_worker_without_an_inbox_starts_makes_none_and_says_so(installation: Make) -> None:
    site = installation()
    site.temporal()
    site.inbox.rmdir()
    worker = site.batchd("work")
    assert worker.logged("inbox.lost")
    assert worker.stop() == 0
    assert not site.inbox.exists()


def _waiting(site: Installation) -> dict[str, Any] | None:
    status = site.status("users.csv")
    return status if status["state"] == "waiting" and status["waiting_on"] != "start" else None


def test_a_file_in_the_place_of_the_archive_is_waited_for_and_nothing_is_called_completed(installation: Make) -> None:
    site = installation()
    site.mock_api()
    service = site.batchd()
    archive = site.inbox / "archive"
    archive.rmdir()
    archive.write_text("notes")
    site.drop("users.csv", users(20))

    status = eventually(lambda: _waiting(site), "the batch waits")
    assert status["waiting_on"].startswith(f"inbox: {archive} is no folder")
    assert status["state"] == "waiting"
    assert site.batchctl("wait", "users.csv", "--timeout", "1").returncode == 5
    [blocked] = service.logged("inbox.blocked")
    assert blocked["path"] == str(archive)
    archive.rename(site.root / "notes")
    site.finished()
    assert len(list(archive.glob("users-*/users.csv"))) == 1
    assert eventually(lambda: site.status("users.csv")["state"] == "completed", "it is completed")
