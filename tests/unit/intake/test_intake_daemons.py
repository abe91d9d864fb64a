"""The running daemon: several on one inbox, inboxes that go and come, no events, many files."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from intake_site import CSV, PATIENCE_S, MakeSite, events, until, watched

from daemon.intake.leader import Leadership, is_watched


async def test_two_daemons_without_a_lock_never_start_a_file_twice_nor_lose_one(make_site: MakeSite) -> None:
    site = make_site()
    first, second = site.intake, site.new_intake()
    for number in range(60):
        site.drop(f"users-{number}.csv", CSV + b"%d,x\n" % number)
    for _ in range(6):
        await asyncio.gather(first.scan(), second.scan())
        await asyncio.gather(first.idle(), second.idle())
        site.now_s += PATIENCE_S
    assert len(site.temporal.started) == 60
    assert len(site.claimed()) == 60
    assert site.waiting() == []
    assert site.under("duplicates") == []


async def test_only_one_of_two_daemons_works_and_the_other_takes_over(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site(settle_s=0.05, rescan_s=0.2)
    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(watched(site, stops[0]))
    await until(lambda: is_watched(site.inbox), "the first leads")
    ready = asyncio.Event()
    second = asyncio.create_task(watched(site, stops[1], on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    await until(lambda: events(caplog, "inbox.standby"), "the second stands by")
    site.drop("one.csv", CSV + b"1,x\n")
    await until(lambda: len(site.temporal.started) == 1, "one.csv is started")
    stops[0].set()
    await first
    await until(lambda: events(caplog, "inbox.taken_over"), "the second leads")
    site.drop("two.csv", CSV + b"2,x\n")
    await until(lambda: len(site.temporal.started) == 2, "two.csv is started")
    stops[1].set()
    await second
    assert len(events(caplog, "inbox.standby")) == 1
    assert not is_watched(site.inbox)


def test_a_leader_that_is_killed_leaves_the_lead_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    code = (
        "import pathlib, sys; from daemon.intake.leader import Leadership; leadership = Leadership(pathlib.Path("
        "sys.argv[1])); print(leadership.holds(), flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "inbox")]
    leadership = Leadership(tmp_path / "inbox")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as leader:
        assert leader.stdout
        assert leader.stdout.readline() == b"True\n"
        assert not leadership.holds()
        assert is_watched(tmp_path / "inbox")
        leader.kill()
    assert leadership.holds()
    leadership.release()


def test_leading_ends_when_the_folder_of_the_lock_is_replaced(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    leadership, other = Leadership(inbox), Leadership(inbox)
    assert leadership.holds()
    assert not other.holds()
    shutil.rmtree(inbox)
    with pytest.raises(FileNotFoundError):
        leadership.holds()
    inbox.mkdir()
    assert other.holds()
    assert not leadership.holds()
    other.release()
    assert leadership.holds()
    leadership.release()


async def test_a_lost_inbox_is_told_of_once_and_never_made_again(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site()
    await site.scan()
    away = site.inbox.with_name("away")
    site.inbox.rename(away)
    for _ in range(3):
        report = await site.scan(after_s=10)
        assert report.lost
    assert not site.inbox.exists()
    assert len(events(caplog, "inbox.lost")) == 1
    away.rename(site.inbox)
    site.drop("users.csv")
    await site.settle()
    assert len(events(caplog, "inbox.found")) == 1
    assert len(site.temporal.started) == 1


async def test_an_inbox_that_is_replaced_under_the_daemon_is_worked_on(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.05, rescan_s=0.3)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(watched(site, stop, on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    for number in range(3):
        site.inbox.rename(site.inbox.with_name(f"old-{number}"))
        await asyncio.sleep(0.4 * (number % 2))
        site.inbox.mkdir()
        site.drop("users.csv", CSV + b"%d,x\n" % number)
        await until(lambda number=number: len(site.temporal.started) == number + 1, "the new inbox is worked")
    stop.set()
    await running


async def test_with_events_switched_off_a_file_is_found_by_the_rescan(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.05, rescan_s=0.2, watch_events=False)
    stop = asyncio.Event()
    running = asyncio.create_task(watched(site, stop))
    site.drop("users.csv")
    await until(lambda: site.temporal.started, "the file is started")
    stop.set()
    await running


async def test_many_files_dropped_while_the_daemon_is_stopped_are_each_one_batch(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0, rescan_s=0.5)
    for number in range(500):
        site.drop(f"users-{number}.csv", CSV + b"%d,x\n" % number)
    stop = asyncio.Event()
    running = asyncio.create_task(watched(site, stop))
    await until(lambda: len(site.temporal.started) == 500, "all are started", 60)
    stop.set()
    await running
    assert len(site.temporal.asked) == 500
    assert len(site.claimed()) == 500


@pytest.mark.soak
@pytest.mark.timeout(1_800)
async def test_20_000_files_dropped_while_the_daemon_is_stopped_are_each_one_batch(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0, rescan_s=1.0)
    for number in range(20_000):
        site.drop(f"users-{number}.csv", CSV + b"%d,x\n" % number)
    stop = asyncio.Event()
    running = asyncio.create_task(watched(site, stop))
    await until(lambda: len(site.temporal.started) == 20_000, "all are started", 1_500)
    stop.set()
    await running
    assert len(site.temporal.asked) == 20_000
    assert len(site.claimed()) == 20_000
