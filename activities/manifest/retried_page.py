"""A page of a finished batch whose fallback rows are tried again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from activities.disk.directory import Directory
from activities.exact_json import loads
from activities.manifest.reader import listed_page
from activities.output.chunk_format import elements_of
from activities.output.page_journal import SavedPage, unchanged
from activities.output.row_log import DurableRow, RowKind, RowLog
from workflows.errors import OutputRefused
from workflows.models import NOT_FOUND, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedPage:
    """A page as the generation before left it."""

    folder: Directory
    before: SavedPage

    @classmethod
    def of(cls, folder: Directory, page: Page, generation: int) -> Self:
        """Find a page in the manifest of the generation before `generation`, its chunk checked against it.

        Raises:
            OutputRefused: there is no such page, or its chunk is not what the manifest says.
        """
        before = listed_page(folder, generation - 1, page.number)
        if before is None:
            raise OutputRefused(f"{folder.path}: generation {generation - 1} has no page {page.number}")
        if not unchanged(folder, before.chunk):
            raise damaged(folder, before.chunk.file)
        return cls(folder=folder, before=before)

    def elements(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield each row of the chunk, and as the bytes it is there."""
        file = self.folder.reading(self.before.chunk.file)
        if file is None:
            raise damaged(self.folder, self.before.chunk.file)
        with file:
            for raw in elements_of(file):
                yield loads(raw), raw

    def fallback_numbers(self) -> Iterator[int]:
        """Yield the numbers of the rows to be tried again."""
        return (row["_row"] for row, _ in self.elements() if is_fallback(row))

    def rows(self, part: RowLog) -> Iterator[DurableRow]:
        """Yield the page's rows: the fallback rows as they are in `part`, the others as they were."""
        anew = {row.row: row for row in part}
        for row, raw in self.elements():
            if is_fallback(row):
                yield anew[row["_row"]]
            else:
                kind: RowKind = "E" if row["enriched"] else "N"
                yield DurableRow(row=row["_row"], kind=kind, error="", statuses=(), latency_ms=0.0, element=raw)


def is_fallback(row: Mapping[str, Any]) -> bool:
    """Return whether a row of a chunk is to be tried again: the API was asked, and could not say."""
    return not row["enriched"] and row["error"] != NOT_FOUND


def damaged(folder: Directory, name: str) -> OutputRefused:
    """Return the error for a file that is not what its manifest says."""
    return OutputRefused(f"{folder.path / name} is not what its manifest says; see `batchctl verify`, `batchctl rerun`")
