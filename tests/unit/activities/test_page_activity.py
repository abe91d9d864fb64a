"""The activity that works a page: its heartbeats, its files and its calls begin and end together."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
import tracemalloc
from pathlib import Path

import orjson
import pytest
from installation import users
from page_site import PageSite, soon
from scripted_api import scripted_api

from activities.enrich_page import OpenPage
from activities.memory_budget import SMALL_PAGE_BYTES
from activities.output.page_journal import entries
from activities.output.row_log import RowLog
from workflows.errors import StorageFull, TransientError
from workflows.models import Tolerated
from workflows.requests import EnrichPage, SavePage


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


async def test_a_folder_deleted_under_a_page_ends_it_and_the_next_attempt_repeats_no_call(tmp_path: Path) -> None:
    site = PageSite(tmp_path)
    async with scripted_api(good) as api:
        async with site.activities(api.url, rate=200.0) as activities:
            work = site.enrich(activities, site.environment())
            await soon(lambda: api.asked.total() > 20, "calls")
            shutil.rmtree(site.part.parent)
            with pytest.raises(TransientError, match="deleted"):
                await work
            assert 20 < api.asked.total() < site.page.records, "it ended in the middle"
        async with site.activities(api.url) as activities:
            enriched = await site.enrich(activities, site.environment())
            saved = await site.environment().run(activities.save_chunk, SavePage(batch=site.batch, page=site.page))
    assert (enriched.rows_done, saved.enriched) == (site.page.records, site.page.records)
    assert api.asked.total() == site.page.records, "what had come back was kept"


async def test_a_page_that_ends_in_a_deleted_folder_is_saved_all_the_same(tmp_path: Path) -> None:
    site = PageSite(tmp_path, users(5))

    def last_words(row: str, attempt: int) -> int:
        if api.asked.total() == site.page.records:
            shutil.rmtree(site.part.parent, ignore_errors=True)
        return good(row, attempt)

    async with scripted_api(last_words) as api, site.activities(api.url) as activities:
        assert (await site.enrich(activities, site.environment())).outcome == "done"
        saved = await site.environment().run(activities.save_chunk, SavePage(batch=site.batch, page=site.page))
    assert saved.enriched == site.page.records


async def test_a_late_attempt_at_a_page_that_was_saved_leaves_no_part_file(tmp_path: Path) -> None:
    site = PageSite(tmp_path, users(5))
    late = OpenPage.open(site.workspace, EnrichPage(batch=site.batch, page=site.page))
    async with scripted_api(good) as api, site.activities(api.url) as activities:
        await site.enrich(activities, site.environment())
        await site.environment().run(activities.save_chunk, SavePage(batch=site.batch, page=site.page))
    with pytest.raises(TransientError, match="deleted"):
        late.sync()
    late.close()
    assert not site.part.exists()


async def test_a_late_attempt_at_a_page_of_a_finished_batch_leaves_no_part_file(tmp_path: Path) -> None:
    """It stood still just before it opened its part file, and the manifest came meanwhile."""
    site = PageSite(tmp_path, users(5))
    late = OpenPage.open(site.workspace, EnrichPage(batch=site.batch, page=site.page))
    (site.part.parent / "manifest.json").write_text(f'{{"id":"{site.id}"}}')
    late.close()
    assert [each.name for each in site.part.parent.iterdir()] == ["manifest.json"]


async def test_a_page_that_takes_long_to_open_is_heartbeated_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, go_on, opened = PageSite(tmp_path), threading.Event(), OpenPage.open

    def slow(*arguments: object) -> OpenPage:
        assert go_on.wait(60)
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenPage, "open", slow)
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
    site, begun, go_on, opened = PageSite(tmp_path), threading.Event(), threading.Event(), OpenPage.open

    def slow(*arguments: object) -> OpenPage:
        begun.set()
        assert go_on.wait(60)
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenPage, "open", slow)
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


async def test_a_page_is_held_as_bytes_however_wide_its_characters_are(tmp_path: Path) -> None:
    cell = "a" * 199_990 + "\N{ROCKET}"
    site = PageSite(tmp_path, "id,note\n" + "".join(f"{row},{cell}\n" for row in range(60)))
    page_bytes = site.page.source_end - site.page.source_start
    request = EnrichPage(batch=site.batch, page=site.page)
    tracemalloc.start()
    try:
        work = await asyncio.to_thread(OpenPage.open, site.workspace, request)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    rows = [orjson.loads(row.body) for row in work.rows_to_call(probe=False)]
    work.close()
    assert held < 1.2 * page_bytes
    assert peak < 1.5 * page_bytes, "one record at a time is read as text, which takes four times its bytes"
    assert rows == [{"id": str(row), "note": cell} for row in range(60)]


async def test_pages_wait_for_each_other_with_heartbeats_where_they_would_hold_too_much_together(
    tmp_path: Path,
) -> None:
    csv = "id,note\n" + "".join(f"{row},{'n' * 10_000}\n" for row in range(60))
    site = PageSite(tmp_path, csv, page_rows=30)
    async with (
        scripted_api(good) as api,
        site.activities(api.url, memory_bytes=SMALL_PAGE_BYTES, rate=10.0) as activities,
    ):
        where = site.environment()
        first = site.enrich(activities, where)
        await soon(site.part.exists, "the first page is open")
        second = site.enrich(activities, site.environment(), page=2)
        beats = len(site.beats)
        await soon(lambda: site.beats[beats:].count(0) > 2, "the second page waits with heartbeats")
        assert not site.part.with_name(".part-000002").exists()
        where.cancel()
        await asyncio.wait({first})
        await soon(site.part.with_name(".part-000002").exists, "the second page is open")
        second.cancel()
        await asyncio.wait({second})


TOLERATING = 'id,size\n1,5"\n\n2,6" or 7"\n\r\n\n3,8\n4,9\n'
"""Two pages of two rows; the first has three bare quotes and three blank lines, the second none."""


async def test_what_reading_a_page_tolerated_is_saved_with_it(tmp_path: Path) -> None:
    site = PageSite(tmp_path, TOLERATING, page_rows=2)
    async with scripted_api(good) as api, site.activities(api.url) as activities:
        for number, page in enumerate(site.pages, start=1):
            await site.enrich(activities, site.environment(), number)
            await site.enrich(activities, site.environment(), number)
            await site.environment().run(activities.save_chunk, SavePage(batch=site.batch, page=page))
    with site.workspace.output(site.batch) as folder:
        saved = entries(folder)
    assert [saved[each].tolerated for each in (1, 2)] == [Tolerated(blank_lines=3, bare_quotes=3), Tolerated()]


def test_what_reading_a_page_tolerated_outlives_its_part_file(tmp_path: Path) -> None:
    site = PageSite(tmp_path, TOLERATING, page_rows=2)
    work = OpenPage.open(site.workspace, EnrichPage(batch=site.batch, page=site.page))
    site.part.unlink()
    work.close()
    with site.workspace.output(site.batch) as folder, RowLog.open(folder, 1) as again:
        assert again.tolerated == Tolerated(blank_lines=3, bare_quotes=3)
