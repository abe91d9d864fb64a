"""Where a worker reads and writes. A request names a batch; it never names a path."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from activities.feed_folders import FeedFolders
from activities.manifest.next_generation import find_fallback_pages
from activities.output.output_folder import OutputFolder
from activities.registry.receipts import Receipts
from activities.source.inbox import check_any_here
from activities.source.source_file import SourceFile
from activities.tally import Tally
from workflows.errors import InboxMissing, SourceVanished
from workflows.ids import checked_id, workflow_id
from workflows.models import BatchRef
from workflows.requests import LoadedPages, LoadPages

PROCESSING = ".processing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The folders of one worker, with what a manifest says about the service."""

    folders: FeedFolders
    receipts: Receipts
    api_url: str
    producer_version: str
    missed: dict[str, int] = field(default_factory=dict)
    """What found no room on the disk, see `activities.disk.held_space`."""
    tally: Tally = field(default_factory=Tally)
    """What this worker counts."""

    def inbox(self, batch: BatchRef) -> Path:
        """Return the inbox that the file of a batch was dropped into.

        Raises:
            InboxMissing: this worker does not know it.
        """
        return self.folders.of(batch).inbox

    def source_path(self, batch: BatchRef) -> Path:
        """Return the path of the claimed file."""
        return self.inbox(batch) / PROCESSING / checked_id(batch.id) / Path(batch.source.file).name

    def source(self, batch: BatchRef) -> SourceFile:
        """Open the claimed file, pinned to what was identified.

        Raises:
            SourceVanished: it is gone, or filed: the batch has ended before, and was reset in Temporal.
            InboxMissing: the inbox is not on this host now.
        """
        with self._claim_of(batch):
            return SourceFile.open(self.source_path(batch), batch.csv, pinned=batch.source)

    def output(self, batch: BatchRef, *, create: bool = True) -> OutputFolder:
        """Open the output folder of a batch. It is made only by a worker that the claimed file is within reach of.

        Raises:
            SourceVanished: there is none, and the batch has ended before.
            InboxMissing: there is none, and the inbox is not on this host now.
            OutputRefused: there is none, and a retry needs the result that was in it.
        """
        create = create and batch.generation == 1
        output_root = self.folders.of(batch).output_root
        if create and not (output_root / workflow_id(batch.id)).exists():
            with self._claim_of(batch):
                check_any_here(self.source_path(batch).parent)
        return OutputFolder.open(output_root, checked_id(batch.id), create=create)

    @contextlib.contextmanager
    def _claim_of(self, batch: BatchRef) -> Iterator[None]:
        """Let the folder of a claim be missing for good where the batch has ended, and else for a while."""
        try:
            yield
        except InboxMissing:
            receipt = self.receipts.read(batch.id)
            if receipt and receipt.ended:
                filed = f"its source was filed as {receipt.archived_as or 'gone'}"
                raise SourceVanished(f"{batch.source.name}: the batch is {receipt.state}, and {filed}") from None
            raise

    def find_fallback_pages(self, request: LoadPages) -> LoadedPages:
        """Find pages of the generation before that hold fallback rows."""
        with self.output(request.batch, create=False) as folder:
            return find_fallback_pages(folder, request)

    def find_pages(self, request: LoadPages) -> LoadedPages:
        """Find the pages at a cursor."""
        with self.source(request.batch) as source:
            return source.find_pages(request.cursor, page_rows=request.page_rows, max_pages=request.max_pages)
