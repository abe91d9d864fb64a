"""A batch that cannot be started holds up no other, says why, and is never called completed without its result."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from intake_site import CSV, MakeSite, Site, events, manifest

from daemon.intake.dispatch import MOST_PENDING
from daemon.intake.explain import explain
from workflows.errors import StartedElsewhere, StartRefused

ELSEWHERE = StartedElsewhere("Temporal has it of another installation: inbox /srv/other/inbox")


async def running(site: Site) -> str:
    """Bring one batch as far as a restart of the daemon after it was seen to run."""
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    site.receipts.write(replace(receipt, state="running"))
    site.new_intake()
    await site.scan()
    return receipt.id


async def test_a_batch_that_temporal_turns_away_holds_up_no_other_and_is_started_later(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site(starts_in_flight=1)
    site.temporal.refusals["bad.csv"] = StartRefused("turned away: INVALID_ARGUMENT")
    site.drop("bad.csv", CSV + b"3,c\n")
    await site.settle()
    for number in range(20):
        site.drop(f"users-{number}.csv")
    await site.settle()
    assert len(site.temporal.started) == 20
    [reported] = events(caplog, "batch.start_delayed")
    assert "INVALID_ARGUMENT" in reported["why"]
    assert "INVALID_ARGUMENT" in explain(site.settings, "bad.csv").summary
    site.temporal.refusals.clear()
    await site.scan(after_s=60)
    assert len(site.temporal.started) == 21
    bad = site.receipts.latest_of("bad.csv")
    assert bad
    assert (bad.state, bad.reason) == ("running", "")


async def test_batches_that_cannot_be_started_do_not_keep_others_in_the_inbox(make_site: MakeSite) -> None:
    site = make_site()
    for number in range(MOST_PENDING):
        name = f"bad-{number}.csv"
        site.temporal.refusals[name] = ELSEWHERE
        site.drop(name)
    await site.settle()
    site.drop("users.csv")
    await site.settle()
    assert [each.source.name for each in site.temporal.started.values()] == ["users.csv"]


async def test_a_start_that_is_turned_away_for_ever_is_asked_for_less_and_less_often(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.refusals["users.csv"] = StartRefused("no")
    site.drop("users.csv")
    await site.settle()
    for _ in range(600):
        await site.scan(after_s=1)
    assert 8 < len(site.temporal.asked) < 18


async def test_one_that_no_server_answers_for_does_not_keep_the_others_from_being_started(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.refusals["first.csv"] = TimeoutError()
    site.temporal.reachable = False
    for name in ("first.csv", "second.csv", "third.csv"):
        site.drop(name)
        await site.settle()
    site.temporal.reachable = True
    await site.settle()
    assert len(site.temporal.started) == 2


async def test_a_batch_of_another_installation_keeps_the_claim_and_says_so_over_restarts(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.refusals["users.csv"] = ELSEWHERE
    site.drop("users.csv")
    await site.settle()
    for _ in range(2):
        site.new_intake()
        await site.scan()
        await site.scan(after_s=site.settings.rescan_s)
        [receipt] = site.all_receipts()
        assert receipt.started_elsewhere
        assert receipt.reason == str(ELSEWHERE)
        assert site.claimed() == [f"{receipt.id}/users.csv"]
    site.temporal.refusals.clear()
    await site.scan(after_s=60)
    assert list(site.temporal.started) == [receipt.id]
    [receipt] = site.all_receipts()
    assert (receipt.state, receipt.reason, receipt.started_elsewhere) == ("running", "", False)


async def test_a_claim_that_was_taken_away_is_not_asked_for_again_and_can_be_made_anew(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.refusals["users.csv"] = ELSEWHERE
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    shutil.rmtree(site.inbox / ".processing" / receipt.id)
    site.temporal.refusals.clear()
    for _ in range(10):
        await site.scan(after_s=60)
    assert site.temporal.started == {}
    site.drop("users.csv")
    await site.settle()
    assert list(site.temporal.started) == [receipt.id]


async def test_what_temporal_calls_completed_is_filed_as_completed_where_its_manifest_is(make_site: MakeSite) -> None:
    site = make_site()
    batch = await running(site)
    manifest(site)
    site.temporal.outcomes[batch] = "completed"
    await site.scan(after_s=site.settings.rescan_s)
    assert site.under("archive") == [f"{batch}/users.csv"]
    [receipt] = site.all_receipts()
    assert (receipt.state, receipt.manifest) == ("completed", "manifest.json")
    assert receipt.counts
    assert receipt.counts.enriched == 2


async def test_a_cancelled_result_is_filed_as_cancelled(make_site: MakeSite) -> None:
    site = make_site()
    batch = await running(site)
    manifest(site, "cancelled")
    site.temporal.outcomes[batch] = "completed"
    await site.scan(after_s=site.settings.rescan_s)
    assert site.all_receipts()[0].state == "cancelled"
    assert f"{batch}/users.csv" in site.under("failed")


async def test_what_temporal_calls_completed_without_a_manifest_here_is_failed_with_its_reason(
    make_site: MakeSite,
) -> None:
    site = make_site()
    batch = await running(site)
    site.temporal.outcomes[batch] = "completed"
    await site.scan(after_s=site.settings.rescan_s)
    [receipt] = site.all_receipts()
    assert receipt.state == "failed"
    assert site.under("archive") == []
    reason = (site.inbox / "failed" / batch / "REASON.txt").read_text()
    assert f"no manifest in {receipt.output_dir}" in reason
    assert f"batchctl rerun {batch}" in reason


async def test_while_the_output_root_is_away_nothing_is_said_of_a_result(
    make_site: MakeSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    site = make_site(output_root=root)
    batch = await running(site)
    site.temporal.outcomes[batch] = "completed"
    root.rename(tmp_path / "away")
    await site.scan(after_s=site.settings.rescan_s)
    assert site.all_receipts()[0].state == "running"
    assert len(events(caplog, "batch.filing_delayed")) == 1
    (tmp_path / "away").rename(root)
    manifest(site)
    await site.scan(after_s=site.settings.rescan_s)
    assert site.all_receipts()[0].state == "completed"
