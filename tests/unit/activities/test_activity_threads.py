"""An activity whose work is done in a thread ends when the thread does, whoever calls it off before."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from page_site import PageSite, soon

from activities.workspace import Workspace
from workflows.errors import SourceChanged, StorageFull
from workflows.models import Cursor
from workflows.requests import LoadedPages, LoadPages


class Thread:
    """Blocking work that is held until it is let go; then it returns or raises `end`."""

    def __init__(self, end: Exception | None = None) -> None:
        self.begun, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()
        self._end = end

    def __call__(self, *_: object) -> LoadedPages:
        self.begun.set()
        assert self.go_on.wait(60)
        self.ended.set()
        if self._end:
            raise self._end
        return LoadedPages(pages=[], next=None)


@pytest.mark.parametrize("end", [None, SourceChanged("another file"), StorageFull("no room")])
async def test_an_activity_that_is_cancelled_ends_with_its_thread_and_says_what_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Exception | None
) -> None:
    site, thread = PageSite(tmp_path), Thread(end)
    monkeypatch.setattr(Workspace, "find_pages", thread)
    request = LoadPages(batch=site.batch, cursor=Cursor(), page_rows=10)

    async def load() -> tuple[LoadedPages, bool]:
        return await activities.load_next_csv_page(request), thread.ended.is_set()

    async with site.activities("http://127.0.0.1/") as activities:
        where = site.environment()
        work = asyncio.create_task(where.run(load))
        try:
            await soon(thread.begun.is_set, "the thread has begun")
            where.cancel()
            await soon(lambda: len(site.beats) > 1, "heartbeats after the cancel")
            assert not work.done()
        finally:
            thread.go_on.set()
        if end is None:
            assert await work == (LoadedPages(pages=[], next=None), True)
        else:
            # An attempt that would be made again ends as cancelled, for there is no other one.
            with pytest.raises(asyncio.CancelledError if isinstance(end, StorageFull) else type(end)):
                await work
