"""The activity that works a page: its heartbeats, its files and its calls begin and end together."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from page_site import PageSite, soon
from scripted_api import scripted_api

from activities.page_work import PageWork
from workflows.errors import StorageFull, TransientError


def good(_: str, __: int) -> int:
    return 200


def open_files() -> list[str]:
    return [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EIO, TransientError), (errno.ENOSPC, StorageFull)], ids=["EIO", "ENOSPC"]
)
async def test_a_sync_that_fails_once_ends_the_page_and_its_calls_and_the_next_attempt_repeats_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    site = PageSite(tmp_path)
    real_sync, failures = os.fdatasync, [OSError(number, os.strerror(number))]

    def fail_once(fd: int) -> None:
        if failures:
            raise failures.pop()
        real_sync(fd)

    monkeypatch.setattr(os, "fdatasync", fail_once)
    async with scripted_api(good) as api:
        async with site.activities(api.url, rate=200.0) as activities:
            with pytest.raises(error, match="syncing"):
                await site.enrich(activities, site.environment())
            assert 0 < api.asked.total() < site.page.records, "it ended in the middle"
            calls = api.asked.total()
            await asyncio.sleep(0.1)
            assert api.asked.total() == calls, "no call is made for a page that was given away"
        async with site.activities(api.url) as activities:
            enriched = await site.enrich(activities, site.environment())
    assert (enriched.outcome, enriched.rows_done) == ("done", site.page.records)
    assert api.asked.total() == site.page.records, "what had come back was kept"


async def test_a_page_that_takes_long_to_open_is_heartbeated_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, go_on, opened = PageSite(tmp_path), threading.Event(), PageWork.open

    def slow(*arguments: object) -> PageWork:
        assert go_on.wait(60)
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PageWork, "open", slow)
    async with scripted_api(good) as api, site.activities(api.url) as activities:
        work = site.enrich(activities, site.environment())
        try:
            await soon(lambda: len(site.beats) > 1, "heartbeats while the page is opened")
        finally:
            go_on.set()
        assert (await work).outcome == "done"


async def test_a_page_that_is_called_off_while_it_is_opened_makes_no_call_and_holds_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, begun, go_on, opened = PageSite(tmp_path), threading.Event(), threading.Event(), PageWork.open

    def slow(*arguments: object) -> PageWork:
        begun.set()
        assert go_on.wait(60)
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PageWork, "open", slow)
    async with scripted_api(good) as api, site.activities(api.url) as activities:
        where = site.environment()
        work = site.enrich(activities, where)
        await soon(begun.is_set, "the page is being opened")
        where.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert api.asked.total() == 0
    assert [each for each in open_files() if str(tmp_path) in each] == []
