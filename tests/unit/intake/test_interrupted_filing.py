"""What the search over all orders of steps has found (tests/model): each the shortest way to it, on real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from intake_site import CSV, Killed, MakeSite, Site, events, manifest

from activities.disk import atomic_files
from activities.disk.failpoints import watched
from daemon.intake.admit import checked_moves, claim
from daemon.rerun import Reruns
from workflows.models import Outcome


async def started(site: Site) -> str:
    site.drop("users.csv")
    await site.settle()
    [batch] = site.temporal.started
    return batch


def killed_in_filing(site: Site, batch: str, outcome: Outcome, at: str = "filing.synced", **facts: Any) -> None:
    """End a batch as its workflow does, until the worker is killed."""

    def kill(name: str) -> None:
        if name == at:
            raise Killed

    with watched(kill), pytest.raises(Killed):
        site.end(batch, outcome, **facts)


async def recovered(site: Site) -> None:
    site.new_intake()
    for _ in range(3):
        await site.scan(after_s=site.settings.rescan_s)


@pytest.mark.parametrize("run", ["terminated", "unknown", "failed"])
async def test_a_filing_that_was_killed_after_its_move_ends_as_completed_though_its_run_is_gone(
    make_site: MakeSite, run: Any
) -> None:
    site = make_site()
    batch = await started(site)
    manifest(site)
    killed_in_filing(site, batch, "completed")
    site.temporal.started.clear()
    site.temporal.outcomes[batch] = run
    await recovered(site)
    [receipt] = site.all_receipts()
    assert receipt.state == "completed"
    assert receipt.counts
    assert receipt.counts.enriched == 2
    assert site.under("archive") == [f"{batch}/users.csv"]
    assert list((site.inbox / ".processing").glob("[!.]*")) == []
    assert site.temporal.started == {}


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
async def test_a_filing_that_was_killed_after_its_move_keeps_the_reason_it_wrote(
    make_site: MakeSite, outcome: Outcome
) -> None:
    site = make_site()
    batch = await started(site)
    killed_in_filing(site, batch, outcome, reason="users.csv line 3: 5 fields", error_type="InvalidCsv")
    site.temporal.started.clear()
    await recovered(site)
    [receipt] = site.all_receipts()
    assert (receipt.state, receipt.reason) == (outcome, "users.csv line 3: 5 fields")
    assert receipt.archived_as == f"failed/{batch}/users.csv"
    reason = json.loads((site.inbox / "failed" / batch / "REASON.json").read_text())
    assert (reason["what"], reason["error_type"]) == ("users.csv line 3: 5 fields", "InvalidCsv")
    assert site.temporal.started == {}


async def test_a_filing_killed_before_its_folder_is_removed_leaves_no_folder_behind(make_site: MakeSite) -> None:
    site = make_site()
    batch = await started(site)
    killed_in_filing(site, batch, "completed", at="filing.closed")
    site.temporal.outcomes[batch] = "completed"
    before = site.all_receipts()
    await recovered(site)
    assert site.all_receipts() == before
    assert list((site.inbox / ".processing").glob("[!.]*")) == []


async def test_a_run_that_finds_its_source_just_filed_fails_no_batch(make_site: MakeSite) -> None:
    site = make_site()
    batch = await started(site)
    manifest(site)
    killed_in_filing(site, batch, "completed")
    site.end(batch, "failed", reason="the file is gone", error_type="SourceVanished")
    site.temporal.outcomes[batch] = "failed"
    await recovered(site)
    assert site.all_receipts()[0].state == "completed"
    assert site.under("failed") == []


async def test_a_copy_that_is_claimed_while_its_first_batch_is_filed_is_a_duplicate(make_site: MakeSite) -> None:
    site = make_site()
    batch = await started(site)
    [first] = site.all_receipts()
    assert first.state == "claimed"
    filed: list[bool] = []

    def file_now(name: str) -> None:
        if name == "receipt.open.before" and not filed:
            filed.append(True)
            (site.inbox / "archive" / batch).mkdir(parents=True)
            (site.inbox / ".processing" / batch / "users.csv").rename(site.inbox / "archive" / batch / "users.csv")
            (site.inbox / ".processing" / batch).rmdir()

    site.drop("users.csv")
    await site.scan()
    with watched(file_now):
        await site.scan(after_s=10)
    await site.settle()
    assert filed
    assert site.under("duplicates") == ["users.csv", "users.csv.receipt.json"]
    assert site.claimed() == []


async def test_a_rerun_of_a_batch_whose_rerun_is_just_being_filed_gets_an_id_of_its_own(make_site: MakeSite) -> None:
    site = make_site()
    batch = await started(site)
    site.end(batch, "completed")
    [old] = site.all_receipts()
    reruns = Reruns(site.inbox, site.state_dir, site.inbox.parent)
    first = reruns.prepare(old, reason="again")
    filed = site.inbox / "archive" / first.id
    (site.inbox / ".processing" / first.id).rename(filed)
    assert reruns.prepare(old, reason="once more").id != first.id


async def test_a_claim_that_was_killed_before_it_was_on_disk_is_synced_before_its_receipt(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.scan()

    def kill(name: str) -> None:
        if name == "claim.renamed":
            raise Killed

    with watched(kill), pytest.raises(Killed):
        await site.scan(after_s=10)
    steps: list[str] = []

    def sync(folder: Path) -> None:
        steps.append(f"sync {folder.relative_to(site.inbox)}" if folder.is_relative_to(site.inbox) else "")
        atomic_files.sync_folder(folder)

    for module in (claim, checked_moves):
        monkeypatch.setattr(module, "sync_folder", sync)
    site.new_intake()
    with watched(lambda name: steps.append(name) if name == "claim.receipted" else None):
        await site.settle()
    [batch] = site.temporal.started
    assert steps == [f"sync .processing/{batch}", "claim.receipted"]
    assert (site.inbox / ".processing" / batch / "users.csv").read_bytes() == CSV


async def test_an_interrupted_filing_is_said_as_any_that_the_daemon_does(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site()
    batch = await started(site)
    manifest(site)
    killed_in_filing(site, batch, "completed")
    site.temporal.started.clear()
    await recovered(site)
    assert [(each["id"], each["outcome"]) for each in events(caplog, "batch.filed")] == [(batch, "completed")]
