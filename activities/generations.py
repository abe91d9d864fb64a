"""Later generations of a finished batch: its fallback rows tried again, everything else left as it is.

Generation n + 1 has a new chunk for every chunk of generation n that holds fallback rows, and a manifest that lists
these beside the untouched ones and names its parent. The files of generation n stay, so that its manifest goes on
proving what it proved. Neither the source nor Temporal's memory of the batch is needed: the rows are in the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson

from activities.elements import elements_of
from activities.folder import Folder
from activities.journal import SavedPage, unchanged
from activities.manifest_reading import listed_page, read_manifest, saved_pages
from activities.parts import DurableRow, PartFile
from workflows.errors import OutputRefused
from workflows.models import Cursor, LoadedPages, LoadPages, Page


class FallbackRow(NamedTuple):
    """A row to be tried again: its number and its source columns as a compact JSON object."""

    number: int
    body: bytes


def find_fallback_pages(folder: Folder, request: LoadPages) -> LoadedPages:
    """Return up to `max_pages` pages from `cursor.page` on that hold fallback rows in the generation before.

    `request.batch.generation` is the new generation. The next cursor's `page` is behind the last page returned.

    Raises:
        OutputRefused: there is no manifest of the generation before.
    """
    before = saved_pages(read_manifest(folder, request.batch.generation - 1))
    left = [each.page for each in before if each.fallback and each.page.number >= request.cursor.page]
    pages = left[: request.max_pages]
    return LoadedPages(pages=pages, next=Cursor(page=pages[-1].number + 1) if len(left) > len(pages) else None)


def fallback_rows(folder: Folder, page: Page, generation: int, columns: Sequence[str]) -> Iterator[FallbackRow]:
    """Yield the rows of a page that generation `generation` is to try again, with the source's `columns`.

    Raises:
        OutputRefused: the page's chunk is not what its manifest says.
    """
    for row, _ in RetriedPage.of(folder, page, generation).elements():
        if not row["enriched"]:
            yield FallbackRow(row["_row"], orjson.dumps({column: row[column] for column in columns}))


def columns_of(folder: Folder, generation: int = 1) -> tuple[str, ...]:
    """Return the source's columns as a manifest has them."""
    return tuple(read_manifest(folder, generation)["dialect"]["columns"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedPage:
    """A page as the generation before left it."""

    folder: Folder
    before: SavedPage

    @classmethod
    def of(cls, folder: Folder, page: Page, generation: int) -> Self:
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
                yield orjson.loads(raw), raw

    def fallback_numbers(self) -> Iterator[int]:
        """Yield the numbers of the rows to be tried again."""
        return (row["_row"] for row, _ in self.elements() if not row["enriched"])

    def rows(self, part: PartFile) -> Iterator[DurableRow]:
        """Yield the page's rows: the fallback rows as they are in `part`, the others as they were."""
        anew = {row.row: row for row in part}
        for row, raw in self.elements():
            if row["enriched"]:
                yield DurableRow(row=row["_row"], kind="E", error="", statuses=(), latency_ms=0.0, element=raw)
            else:
                yield anew[row["_row"]]


def damaged(folder: Folder, name: str) -> OutputRefused:
    """Return the error for a file that is not what its manifest says."""
    return OutputRefused(f"{folder.path / name} is not what its manifest says; see `batchctl verify`, `batchctl rerun`")
