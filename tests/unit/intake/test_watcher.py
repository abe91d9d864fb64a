"""Events only wake the scan: they may fail, be missed or never come, and are mended where they can be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from intake_site import CSV, MakeSite, until, watched

from daemon.intake.observe.watcher import IN_PLACE_S, Watcher


@pytest.fixture
async def wake() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def watcher(tmp_path: Path, wake: asyncio.Event) -> AsyncIterator[Watcher]:
    made = Watcher(longest_pause_s=0.1)
    made.follow(tmp_path, wake)
    yield made
    await made.stop()


async def woken_by(wake: asyncio.Event, path: Path) -> None:
    """Write a file again and again until it wakes: the watcher may just be starting."""
    wake.clear()
    deadline = asyncio.get_running_loop().time() + 20
    while not wake.is_set():
        assert asyncio.get_running_loop().time() < deadline, "the watcher never woke"
        await asyncio.to_thread(path.write_bytes, CSV)
        await asyncio.sleep(0.02)


async def test_a_new_file_wakes(tmp_path: Path, wake: asyncio.Event, watcher: Watcher) -> None:
    await woken_by(wake, tmp_path / "users.csv")


async def test_only_who_follows_the_folder_of_a_new_file_is_woken(
    tmp_path: Path, wake: asyncio.Event, watcher: Watcher
) -> None:
    other, others_wake = tmp_path / "other", asyncio.Event()
    other.mkdir()
    watcher.follow(other, others_wake)
    await asyncio.sleep(max(IN_PLACE_S) + 0.2)  # a scan is woken for this long after a start
    others_wake.clear()
    await woken_by(wake, tmp_path / "users.csv")
    assert not others_wake.is_set()
    await woken_by(others_wake, other / "users.csv")
    watcher.forget(others_wake)
    await woken_by(wake, tmp_path / "users.csv")


async def test_a_name_that_is_not_utf_8_breaks_nothing_for_long(
    tmp_path: Path, wake: asyncio.Event, watcher: Watcher
) -> None:
    await woken_by(wake, tmp_path / "users.csv")
    for number in range(3):
        (tmp_path / os.fsdecode(b"\xff%d.csv" % number)).write_bytes(CSV)
        await woken_by(wake, tmp_path / "users.csv")


async def test_a_missing_folder_is_watched_once_it_is_there(tmp_path: Path, wake: asyncio.Event) -> None:
    folder = tmp_path / "inbox"
    watcher = Watcher(longest_pause_s=0.05)
    watcher.follow(folder, wake)
    await asyncio.sleep(0.1)
    folder.mkdir()
    await woken_by(wake, folder / "users.csv")
    await watcher.stop()


async def test_a_watcher_started_anew_follows_the_folder_that_stands_there_now(
    tmp_path: Path, wake: asyncio.Event
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    watcher = Watcher(longest_pause_s=0.05)
    watcher.follow(folder, wake)
    folder.rename(tmp_path / "away")
    folder.mkdir()
    watcher.follow(folder, wake)
    await woken_by(wake, folder / "users.csv")
    await watcher.stop()


async def test_a_file_is_taken_long_before_the_rescan_where_events_work(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.05, rescan_s=3_600)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(watched(site, stop, on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    await asyncio.sleep(0.2)
    site.drop("users.csv")
    await until(lambda: site.temporal.started, "the file is started")
    stop.set()
    await running


async def test_files_of_any_name_are_taken_by_rescans_while_the_watcher_fails(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.05, rescan_s=0.2)
    stop = asyncio.Event()
    running = asyncio.create_task(watched(site, stop))
    for number in range(5):
        site.drop(b"\xfe\xff%d.csv" % number, CSV + b"%d,x\n" % number)
        await until(lambda number=number: len(site.temporal.started) == number + 1, "the file is started")
    stop.set()
    await running
