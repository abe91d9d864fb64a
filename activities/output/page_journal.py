"""The journal of a batch: what was saved, page by page, until the manifest says it for good.

A hidden append-only file of lines that prove themselves (see `activities.disk.checked_lines`). The last entry for a
page counts. A page without an entry was not saved, whatever lies in the folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import orjson

from activities.disk.checked_lines import close_torn_line, line, payloads
from activities.disk.directory import Directory
from activities.disk.errors import disk_errors
from activities.disk.failpoints import cut, failpoint
from activities.output.names import generation_of_data, journal_name
from workflows.errors import StorageFull
from workflows.models import Page, Tolerated
from workflows.requests import SavedChunk


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file that was saved, by what it must still be."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPage:
    """A page whose chunk is on disk. `chunk.rows` counts all but rejected rows, which stand apart.

    `tolerated` is None where 0.2.0 has read it, which did not count. `by_rule` are records that a schema has refused.
    """

    page: Page
    chunk: FileFacts
    enriched: int
    fallback: int
    by_error: dict[str, int] = field(default_factory=dict)
    rejected: FileFacts | None = None
    not_found: int = 0
    tolerated: Tolerated | None = None
    by_rule: dict[str, int] = field(default_factory=dict)

    @property
    def counted_rows(self) -> int:
        """Rows of the chunk by their kinds, which add up to `chunk.rows`."""
        return self.enriched + self.not_found + self.fallback

    @property
    def rejected_rows(self) -> int:
        """Records of the page that are not valid rows."""
        return self.rejected.rows if self.rejected else 0

    def files(self) -> list[FileFacts]:
        """Return the page's files."""
        return [self.chunk, *([self.rejected] if self.rejected else [])]

    def result(self) -> SavedChunk:
        """Return what the workflow learns."""
        return SavedChunk(
            file=self.chunk.file,
            enriched=self.enriched,
            fallback=self.fallback,
            rejected=self.rejected_rows,
            by_error=self.by_error,
            not_found=self.not_found,
        )


def record(folder: Directory, saved: SavedPage, generation: int = 1) -> None:
    """Append an entry, durable when this returns."""
    name = journal_name(generation)
    fd = folder.appending(name)
    assert fd is not None, "made where missing"  # noqa: S101 - for the type checker
    try:
        with disk_errors(f"writing {folder.path / name}"):
            close_torn_line(fd)
            entry = line(orjson.dumps(saved))
            if os.write(fd, cut("journal.write.before", entry)) < len(entry):
                raise StorageFull(f"writing {folder.path / name}: the disk took a part of it")
            os.fsync(fd)
            failpoint("journal.write.after")
    finally:
        os.close(fd)


def entries(folder: Directory, generation: int = 1) -> dict[int, SavedPage]:
    """Return the last sound entry of each page, by page number. Memory is a kilobyte a page."""
    name = journal_name(generation)
    fd = folder.appending(name, create=False)
    if fd is None:
        return {}
    found: dict[int, SavedPage] = {}
    try:
        with disk_errors(f"reading {folder.path / name}"):
            for _, payload in payloads(fd):
                saved = _entry(orjson.loads(payload))
                found[saved.page.number] = saved
    finally:
        os.close(fd)
    return found


def own_files(saved: SavedPage, generation: int) -> list[FileFacts]:
    """Return the page's files that its generation made: a later one lists the first one's rejected records."""
    return [each for each in saved.files() if generation_of_data(each.file) == generation]


def matches(folder: Directory, saved: SavedPage, generation: int = 1, *, since_ns: int = 0) -> bool:
    """Return whether the files that a generation made of the page are on disk, byte for byte as they were saved."""
    return all(unchanged(folder, each, since_ns=since_ns) for each in own_files(saved, generation))


def unchanged(folder: Directory, facts: FileFacts, *, since_ns: int = 0) -> bool:
    """Return whether a file is on disk, byte for byte as it was saved.

    It was hashed before at `since_ns` by the clock of its file system: where it has not changed since, it is not read.
    """
    if folder.untouched(facts.file, facts.bytes, since_ns):
        return True
    there = folder.stored(facts.file)
    return there is not None and (there.size_bytes, there.sha256) == (facts.bytes, facts.sha256)


def _entry(fields: dict[str, Any]) -> SavedPage:
    rejected, tolerated = fields.pop("rejected"), fields.pop("tolerated", None)
    return SavedPage(
        page=Page(**fields.pop("page")),
        chunk=FileFacts(**fields.pop("chunk")),
        rejected=FileFacts(**rejected) if rejected else None,
        tolerated=Tolerated(**tolerated) if tolerated else None,
        **fields,
    )
