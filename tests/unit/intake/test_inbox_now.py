"""What is published of an inbox: its files by state, and how long the oldest of them waits."""

from __future__ import annotations

from intake_site import CSV, MakeSite, Site, manifest

from activities.tally import START_DELAY_BOUNDS_S


async def states(site: Site, after_s: float = 0.0) -> dict[str, int]:
    """Return the states that files are in after one more scan."""
    report = await site.scan(after_s)
    return {state: files for state, files in site.intake.files_now(report).items() if files}


async def test_a_file_goes_from_state_to_state_and_is_gone_when_its_batch_has_ended(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    (site.inbox / "folder.csv").mkdir()
    assert await states(site) == {"settling": 1, "left": 1}
    site.temporal.reachable = False
    await states(site, after_s=6)
    assert await states(site) == {"starting": 1, "left": 1}
    site.temporal.reachable = True
    await states(site)
    assert await states(site) == {"claimed": 1, "left": 1}
    [receipt] = site.all_receipts()
    manifest(site)
    site.end(receipt.id, "completed")
    assert await states(site) == {"left": 1}


async def test_a_batch_is_counted_from_its_start_and_not_from_the_next_scan(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.scan()
    report = await site.scan(after_s=6)
    await site.intake.idle()
    assert len(site.temporal.started) == 1
    assert site.intake.files_now(report)["claimed"] == 1


async def test_the_file_that_waits_longest_says_how_long_from_its_first_sight_to_its_start(make_site: MakeSite) -> None:
    site = make_site(ready_marker="{name}.done")
    site.drop("users.csv")
    await site.scan()
    report = await site.scan(after_s=100)
    assert site.intake.files_now(report)["held"] == 1
    assert site.intake.oldest_s(report) == 100

    site.temporal.reachable = False
    site.drop("users.csv.done", b"")
    await site.scan()
    report = await site.scan()
    assert site.intake.files_now(report)["starting"] == 1
    site.now_s += 50
    assert site.intake.oldest_s(report) >= 50

    site.temporal.reachable = True
    await site.scan()
    assert site.intake.oldest_s(await site.scan()) == 0


async def test_a_start_is_counted_with_its_delay_and_one_that_was_made_before_is_not(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    site.temporal.lose_replies = 1
    site.drop("other.csv", CSV + b"3,c\n")
    await site.settle()
    await site.scan()
    assert len(site.temporal.started) == 2
    delays = site.shared[-1].tally.take().start_delays
    assert sum(delays.buckets) == 1
    assert delays.sum_s < START_DELAY_BOUNDS_S[-1]
