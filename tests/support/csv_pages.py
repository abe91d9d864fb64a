"""Reading a CSV file in pages, as the activities do, with the checks that hold for every file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from activities.source.source_file import Record, Rejected, SourceFile
from workflows.models import CsvOptions, Cursor, Page, Tolerated

PAGE_SIZES = (1, 2, 3, 7, 1000)


def read_in_pages(path: Path, page_rows: int, options: CsvOptions | None = None) -> list[Record | Rejected]:
    """Read every record, a page at a time, each page by a file of its own; the pages must tile the file."""
    pages = pages_of(path, page_rows, options)
    rows: list[Record | Rejected] = []
    for page in pages:
        with SourceFile.open(path, options or CsvOptions()) as source:
            rows += source.read_page(page)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return rows


def tolerated_in_pages(path: Path, page_rows: int, options: CsvOptions) -> list[Tolerated]:
    """Return what reading each page tolerates, which is the same whatever is known of it beforehand."""
    pages = pages_of(path, page_rows, options, at_once=1_000)
    with SourceFile.open(path, options) as source:
        found, unknowing = list[Tolerated](), list[Tolerated]()
        for page in pages:
            source.read_page(page, found.append)
            source.read_page(replace(page, no_bare_quotes=False), unknowing.append)
    assert found == unknowing
    return found


def tolerated_in_all(path: Path, page_rows: int, options: CsvOptions) -> tuple[int, int]:
    """Return the blank lines and the bare quotes that reading all pages tolerates, as sums over them."""
    found = tolerated_in_pages(path, page_rows, options)
    return sum(each.blank_lines for each in found), sum(each.bare_quotes for each in found)


def pages_of(path: Path, page_rows: int, options: CsvOptions | None = None, *, at_once: int = 1) -> list[Page]:
    """Find all pages; check that they tile the part of the file behind the header and count on without a gap."""
    pages: list[Page] = []
    cursor: Cursor | None = Cursor()
    start, end = None, 0
    while cursor is not None:
        with SourceFile.open(path, options or CsvOptions()) as source:
            found = source.find_pages(cursor, page_rows=page_rows, max_pages=at_once)
            start, end = source.dialect.data_start, source.dialect.data_end or path.stat().st_size
        pages += found.pages
        cursor = found.next
    _check_tiles(pages, start, end)
    return pages


def _check_tiles(pages: list[Page], start: int | None, size_bytes: int) -> None:
    borders = [page.source_start for page in pages] + [size_bytes]
    if pages:
        assert borders[0] == start
        assert [page.source_end for page in pages] == borders[1:]
        assert borders == sorted(set(borders))
    row = 1
    for number, page in enumerate(pages, start=1):
        assert (page.number, page.first_row) == (number, row)
        row += page.records
