"""One claimed file and the activities of a worker beside it, without Temporal."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from installation import eventually, users
from temporalio.testing import ActivityEnvironment

from activities.adapter import BatchActivities
from activities.api.client import ApiOptions, EnrichmentClient
from activities.api.clients import UNNAMED, ApiClients
from activities.feed_folders import FeedFolders, Folders
from activities.memory_budget import WORKER_BYTES
from activities.registry.receipts import Receipts
from activities.stall_detector import StallDetector
from activities.workspace import Workspace
from workflows.ids import batch_id, identity_key
from workflows.models import BatchRef, CsvOptions, Cursor, Source
from workflows.requests import EnrichedPage, EnrichPage

NAME = "users.csv"


class PageSite:
    """A claimed file in `root`, by default all of it one page, and where its rows go."""

    def __init__(self, root: Path, csv: str | bytes | None = None, *, page_rows: int = 100_000) -> None:
        self.content = users(500).encode() if csv is None else csv.encode() if isinstance(csv, str) else csv
        digest = hashlib.sha256(self.content).hexdigest()
        self.key = identity_key("name+content", name=NAME.encode(), sha256=digest, feed="")
        self.id = batch_id(NAME.encode(), self.key)
        self.inbox, self.output_root, receipts = root / "inbox", root / "out", Receipts(root / "state")
        folders = Folders(inbox=self.inbox, output_root=self.output_root)
        self.workspace = Workspace(
            folders=FeedFolders({"": folders}, receipts),
            receipts=receipts,
            api_url="http://127.0.0.1/",
            producer_version="0",
        )
        self.output_root.mkdir(parents=True, exist_ok=True)
        self.batch = BatchRef(id=self.id, csv=CsvOptions(), source=self._claimed())
        with self.workspace.source(self.batch) as source:
            self.pages = source.find_pages(Cursor(), page_rows=page_rows, max_pages=10).pages
        self.page = self.pages[0]
        self.beats: list[int] = []

    @property
    def part(self) -> Path:
        """The part file of the first page."""
        return self.output_root / f"batch-{self.id}" / ".part-000001"

    @asynccontextmanager
    async def activities(
        self, url: str, *, memory_bytes: int = WORKER_BYTES, **options: object
    ) -> AsyncIterator[BatchActivities]:
        """The activities of a worker process that calls `url`."""
        made = ApiOptions(**{"url": url, **options})  # type: ignore[arg-type]
        async with ApiClients({UNNAMED: EnrichmentClient(made)}) as clients, StallDetector() as stall_detector:
            yield BatchActivities(self.workspace, clients, stall_detector, memory_bytes)

    def environment(self) -> ActivityEnvironment:
        """Return where an activity runs: its heartbeats are counted in `beats`."""
        made = ActivityEnvironment()
        made.info = replace(made.info, heartbeat_timeout=timedelta(seconds=60))
        made.on_heartbeat = lambda *details: self.beats.append(int(details[0]))
        return made

    def enrich(
        self, activities: BatchActivities, where: ActivityEnvironment, page: int = 1
    ) -> asyncio.Task[EnrichedPage]:
        """Start the work on a page."""

        async def run() -> EnrichedPage:
            return await where.run(activities.enrich_chunk, EnrichPage(batch=self.batch, page=self.pages[page - 1]))

        return asyncio.create_task(run())

    def _claimed(self) -> Source:
        path = self.inbox / ".processing" / self.id / NAME
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_bytes(self.content)
        status = path.stat()
        return Source(
            file=NAME,
            name=NAME,
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            inode=status.st_ino,
            sha256=hashlib.sha256(self.content).hexdigest(),
        )


async def soon(check: Callable[[], object], what: str, deadline_s: float = 20.0) -> None:
    """Wait in the event loop until `check` is true."""
    await asyncio.to_thread(eventually, check, what, deadline_s)
