"""Kills, outages and losses at every step of the intake end the same as without them."""

from __future__ import annotations

import errno
import logging
from typing import Any

import pytest
from intake_site import CSV, Killed, MakeSite, Site, events

from activities.disk.failpoints import watched
from daemon.rerun import Reruns
from workflows.ids import batch_id


@pytest.mark.parametrize("spoilt", ["SourceChanged", "SourceVanished"])
async def test_a_file_dropped_again_after_its_source_was_spoilt_can_be_done_again(
    make_site: MakeSite, spoilt: str
) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    claimed = site.inbox / ".processing" / first.id / "users.csv"
    claimed.unlink()
    if spoilt == "SourceChanged":
        claimed.write_bytes(CSV + b"grown\n")
    site.end(first.id, "failed", reason="spoilt", error_type=spoilt)
    site.drop("users.csv")
    await site.settle()
    [failed] = site.all_receipts()
    new = Reruns(site.inbox, site.state_dir, site.inbox.parent).prepare(failed, reason="whole again")
    await site.settle()
    assert new.id in site.temporal.started
    assert (site.inbox / ".processing" / new.id / "users.csv").read_bytes() == CSV


async def test_a_full_disk_delays_a_file_and_loses_nothing(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site()
    site.drop("users.csv")
    site.drop("other.csv")

    def full(name: str) -> None:
        if name in {"claim.folder_made", "receipt.write.before"}:
            raise OSError(28, "No space left on device")

    with watched(full):
        await site.settle(scans=4)
    assert site.temporal.started == {}
    assert len(events(caplog, "file.delayed")) == 2
    await site.settle()
    assert len(site.temporal.started) == 2
    assert len(site.claimed()) == 2


async def test_while_temporal_is_unreachable_files_stay_claimed_and_it_is_said_once(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site()
    site.temporal.reachable = False
    for number in range(20):
        site.drop(f"users-{number}.csv")
    await site.settle(scans=5)
    assert len(site.claimed()) == 20
    assert len(events(caplog, "temporal.unreachable")) == 1
    site.temporal.reachable = True
    await site.scan(after_s=1)
    assert len(site.temporal.started) == 20
    assert len(events(caplog, "temporal.reachable")) == 1


async def test_a_start_whose_reply_was_lost_is_no_failure_and_no_second_start(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.lose_replies = 1
    site.drop("users.csv")
    await site.settle()
    await site.scan()
    assert len(site.temporal.started) == 1
    assert len(site.temporal.asked) == 2


STEPS = ["claimed", "refused", "duplicate", "marker", "broken-marker", "duplicate-marker"]


async def killed_at(site: Site, step: int) -> bool:
    """Run the intake until its `step`-th failpoint kills it; False where it came to its end first."""
    passed = 0

    def hook(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            raise Killed

    with watched(hook):
        try:
            await site.settle()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("story", STEPS)
async def test_killed_at_any_step_the_next_daemon_ends_the_same(make_site: MakeSite, story: str) -> None:
    marked, refused, duplicate = "marker" in story, story in {"refused", "broken-marker"}, "duplicate" in story
    for step in range(1, 100):
        site = make_site(f"{story}-{step}", ready_marker="{name}.done" if marked else "")
        for _ in range(2 if duplicate else 1):
            site.drop("users.csv", b"%PDF-1.7\n" if story == "refused" else CSV)
            if marked:
                site.drop("users.csv.done", b"rows=3" if refused else b"rows=2")
            if duplicate and not site.temporal.started:
                await site.settle()
        killed = await killed_at(site, step)
        await site.close()
        site.new_intake()
        await site.settle()
        await site.scan()
        assert site.waiting() == []
        assert len(site.temporal.started) == (not refused)
        assert len(site.claimed()) == (0 if refused else 1 + marked)
        assert site.under("duplicates") == (["users.csv", "users.csv.receipt.json"] if duplicate else [])
        assert len(site.under("failed")) == (3 if refused else 0)
        assert len(site.all_receipts()) == (not refused)
        assert len(list((site.inbox / ".processing").iterdir())) == len(site.all_receipts())
        await site.close()
        if not killed:
            assert step > 3
            return


async def test_a_batch_ended_in_temporal_past_us_is_filed_with_that_reason(make_site: MakeSite) -> None:
    site = make_site()
    names = {"terminated": "failed", "timed_out": "failed", "failed": "failed", "cancelled": "failed"}
    for name in names:
        site.drop(f"{name}.csv", CSV + name.encode() + b",x\n")
    await site.settle()
    site.new_intake()
    for receipt in site.all_receipts():
        site.receipts.write(receipt.__class__(**{**_fields(receipt), "state": "running"}))
        site.temporal.outcomes[receipt.id] = receipt.source.name.removesuffix(".csv")  # type: ignore[assignment]
    await site.scan()
    await site.scan(after_s=site.settings.rescan_s)
    assert site.claimed() == []
    for receipt in site.all_receipts():
        name = receipt.source.name.removesuffix(".csv")
        assert receipt.state == ("cancelled" if name == "cancelled" else "failed")
        assert "Temporal" in (site.inbox / "failed" / receipt.id / "REASON.txt").read_text()


async def test_a_batch_that_temporal_has_lost_is_started_again(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    site.receipts.write(receipt.__class__(**{**_fields(receipt), "state": "running"}))
    site.temporal.started.clear()
    site.new_intake()
    await site.scan()
    await site.scan(after_s=site.settings.rescan_s)
    assert list(site.temporal.started) == [receipt.id]


def _fields(receipt: Any) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in receipt.__slots__}


async def test_a_file_laid_into_processing_with_its_receipt_is_started(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [old] = site.all_receipts()
    key = old.identity.key + "\nrerun:1"
    new_id = batch_id(b"users.csv", key)
    site.receipts.write(old.__class__(**{**_fields(old), "id": new_id, "workflow_id": f"batch-{new_id}"}))
    (site.inbox / ".processing" / new_id).mkdir()
    (site.inbox / ".processing" / new_id / "users.csv").write_bytes(CSV)
    await site.scan()
    assert new_id in site.temporal.started


async def test_a_leftover_without_a_receipt_under_a_wrong_id_becomes_the_batch_it_is(make_site: MakeSite) -> None:
    site = make_site()
    wrong = site.inbox / ".processing" / "users-0123456789ab"
    wrong.mkdir(parents=True)
    (wrong / "users.csv").write_bytes(CSV)
    await site.settle()
    [receipt] = site.all_receipts()
    assert site.claimed() == [f"{receipt.id}/users.csv"]
    assert not wrong.exists()


async def test_a_torn_receipt_costs_one_more_hash_and_nothing_else(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    (site.receipts.folder / f"{receipt.id}.json").write_bytes(b'{"id": "use')
    site.new_intake()
    await site.settle()
    assert site.all_receipts()[0].id == receipt.id
    assert len(site.temporal.started) == 1
    assert site.under("duplicates") == []


@pytest.mark.parametrize("lies_in", ["inbox", ".processing"])
async def test_while_a_receipt_cannot_be_read_its_file_waits_and_is_told_of(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, lies_in: str
) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    if lies_in == "inbox":
        site.end(first.id, "completed")
        site.drop("users.csv")
    site.new_intake()

    def unreadable(name: str) -> None:
        if name == "receipt.open.before":
            raise OSError(errno.EMFILE, "Too many open files")

    with watched(unreadable):
        await site.settle()
    [event] = ["file.delayed"] if lies_in == "inbox" else ["claim.strange"]
    [reported] = events(caplog, event)
    assert "Too many open files" in reported["why"]
    assert site.under("duplicates") == []
    assert site.temporal.asked == [first.id]
    await site.settle()
    assert [each.id for each in site.all_receipts()] == [first.id]
    assert site.under("duplicates") == (["users.csv", "users.csv.receipt.json"] if lies_in == "inbox" else [])
