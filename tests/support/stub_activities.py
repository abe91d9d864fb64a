"""Activities that touch nothing, for tests of what the workflows decide."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from daemon.worker import HEARTBEAT_THROTTLE
from workflows.contract import LONG_PAGES_SUFFIX, Activities
from workflows.models import ControlState, Counts, Cursor, Identity, Page, Shape, Source
from workflows.requests import (
    EnrichedPage,
    EnrichPage,
    FileSource,
    KeepControlState,
    LoadedPages,
    LoadPages,
    PrepareBatch,
    PreparedBatch,
    SavedChunk,
    SavePage,
    WriteManifest,
    WrittenManifest,
)
from workflows.state import BatchRequest

ROWS = 10


def request(number: int = 1, **shape: object) -> BatchRequest:
    """Return a batch of a file that does not exist."""
    source = Source(file="users.csv", name="users.csv", size_bytes=1_000_000, mtime_ns=0, inode=1, sha256="0" * 64)
    return BatchRequest(
        id=f"users-{number:012x}",
        source=source,
        identity=Identity(policy="name", key="name:users.csv"),
        shape=Shape(**{"page_rows": ROWS, "heartbeat_timeout_s": 30, **shape}),  # type: ignore[arg-type]
    )


@asynccontextmanager
async def workers(
    client: Client, queue: str, workflows: list[type], activities: list[Callable[..., object]], **options: Any
) -> AsyncIterator[None]:
    """Work `queue`, and its queue for the pages of long files, as the two halves of a worker process do."""
    options |= {
        "max_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
        "default_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
    }
    async with (
        Worker(client, task_queue=queue, workflows=workflows, activities=activities, **options),
        Worker(client, task_queue=f"{queue}{LONG_PAGES_SUFFIX}", activities=activities, **options),
    ):
        yield


class StubActivities(Activities):
    """A file of `pages` pages whose API answers as `answer` says; everything asked is kept.

    The page `last_in` waits for another one to be enriched first.
    """

    def __init__(
        self,
        pages: int = 5,
        answer: Callable[[EnrichPage, int], EnrichedPage] = lambda _, __: EnrichedPage(),
        saved: Callable[[SavePage], SavedChunk] | None = None,
    ) -> None:
        self.pages = pages
        self.answer = answer
        self.saved = saved or (lambda _: SavedChunk(file="chunk", enriched=ROWS))
        self.enriched: list[int] = []
        self.attempts: Counter[int] = Counter()
        self.manifests: list[WriteManifest] = []
        self.filed: list[FileSource] = []
        self.kept: list[ControlState] = []
        self.damaged: list[Page] = []
        self.prepared: list[PrepareBatch] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.open_now = 0
        self.most_open = 0
        self.last_in = 0
        self.failure: BaseException | None = None

    def all(self) -> list[Callable[..., object]]:
        return [getattr(self, name) for name, _ in inspect.getmembers(Activities, inspect.isfunction)]

    @activity.defn(name="prepare_batch")
    async def prepare_batch(self, request: PrepareBatch) -> PreparedBatch:
        self.prepared.append(request)
        return PreparedBatch()

    @activity.defn(name="load_next_csv_page")
    async def load_next_csv_page(self, request: LoadPages) -> LoadedPages:
        return self._pages_from(request.cursor.page, 1)

    @activity.defn(name="load_csv_chunks")
    async def load_csv_chunks(self, request: LoadPages) -> LoadedPages:
        return self._pages_from(request.cursor.page, request.max_pages)

    @activity.defn(name="load_fallback_pages")
    async def load_fallback_pages(self, request: LoadPages) -> LoadedPages:
        return self._pages_from(request.cursor.page, request.max_pages)

    @activity.defn(name="enrich_chunk")
    async def enrich_chunk(self, request: EnrichPage) -> EnrichedPage:
        number = request.page.number
        self.attempts[number] += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            while number == self.last_in and not self.enriched:
                await asyncio.sleep(0.01)
            await self._until_open()
        finally:
            self.open_now -= 1
        self.enriched.append(number)
        enriched = self.answer(request, self.attempts[number])
        if not request.save or enriched.outcome != "done":
            return enriched
        return replace(enriched, saved=self.saved(SavePage(batch=request.batch, page=request.page)))

    @activity.defn(name="save_chunk")
    async def save_chunk(self, request: SavePage) -> SavedChunk:
        return self.saved(request)

    @activity.defn(name="write_manifest")
    async def write_manifest(self, request: WriteManifest) -> WrittenManifest:
        self.manifests.append(request)
        if self.damaged:
            damaged, self.damaged = self.damaged, []
            return WrittenManifest(file=None, damaged=damaged)
        counts = Counts(records=self.pages * ROWS, enriched=self.pages * ROWS)
        return WrittenManifest(
            file="manifest.json", status="cancelled" if request.cancelled else "complete", counts=counts
        )

    @activity.defn(name="file_source")
    async def file_source(self, request: FileSource) -> None:
        self.filed.append(request)

    @activity.defn(name="conclude_batch")
    async def conclude_batch(self, request: WriteManifest) -> WrittenManifest:
        written = await self.write_manifest(request)
        if written.file is None:
            return written
        await self.file_source(
            FileSource(batch=request.batch, outcome="completed", counts=written.counts, manifest=written.file)
        )
        return replace(written, filed=True)

    @activity.defn(name="keep_control_state")
    async def keep_control_state(self, request: KeepControlState) -> None:
        self.kept.append(request.state)

    async def _until_open(self) -> None:
        while not self.gate.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.05)

    def _pages_from(self, first: int, most: int) -> LoadedPages:
        last = min(self.pages, first + most - 1)
        pages = [
            Page(
                number=number,
                source_start=number * 100,
                source_end=number * 100 + 100,
                first_row=(number - 1) * ROWS + 1,
                records=ROWS,
            )
            for number in range(first, last + 1)
        ]
        following = Cursor(offset=last * 100 + 100, page=last + 1, row=last * ROWS + 1, line=last * ROWS + 2)
        return LoadedPages(pages=pages, next=None if last >= self.pages else following)
