"""The claimed CSV file, cut into pages of records and read again page by page.

Blocking; callers in an event loop run it in a thread. Each object has its own descriptor and reads by offset, so
several may read one file at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from activities.source.dialect import Dialect, dialect_of_header, find_dialect, pinned_dialect
from activities.source.extent import beginning
from activities.source.grammar import Grammar
from activities.source.parser import Record, RecordReader, Rejected
from activities.source.pinned_file import PinnedFile
from activities.source.reader import PageRecords
from activities.source.scanner import Borders
from workflows.errors import InvalidCsv, SourceChanged
from workflows.models import CsvOptions, Cursor, Page, Source, Tolerated
from workflows.requests import LoadedPages

__all__ = ["Dialect", "Record", "Rejected", "SourceFile"]

MAX_PAGE_BYTES = 33_554_432
"""A page ends early once it is this long, so that rows of a megabyte do not make a page of a gigabyte."""


class SourceFile:
    """One open CSV file; a context manager. Made by `open`."""

    def __init__(self, content: PinnedFile, dialect: Dialect, options: CsvOptions) -> None:
        self._content = content
        self._options = options
        self.dialect = dialect
        self._window = beginning(content, dialect.data_end)

    @classmethod
    def open(cls, path: str | bytes | Path, options: CsvOptions, pinned: Source | None = None) -> Self:
        """Open the regular file at `path`, following no link, by the dialect that was pinned.

        Args:
            path: the claimed file.
            options: how it is to be read.
            pinned: what was identified; without it the file is held against itself as it is now, and its dialect is
                found by reading all of it.

        Raises:
            SourceVanished: there is no such file in its folder.
            InboxMissing: its folder is not there, or may not be entered.
            SourceUnreadable: it is no regular file, or may not be read.
            SourceChanged: it is not the file that was identified.
            InvalidCsv: it is no CSV file, or has no usable header.
        """
        content = PinnedFile.open(path, pinned)
        try:
            content.check_unchanged()
            return cls(content, _dialect(content, options, pinned), options)
        except InvalidCsv as invalid:
            content.close()
            raise InvalidCsv(f"{content.name}: {invalid}") from invalid
        except BaseException:
            content.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; twice is as good as once."""
        self._content.close()

    @property
    def size_bytes(self) -> int:
        """The size of the file as it was identified."""
        return self._content.size_bytes

    def check_unchanged(self) -> None:
        """Hold the open file, and what its path leads to now, against what was identified.

        Raises:
            SourceChanged: size, time of change or inode differ, or another file stands at the path.
            SourceVanished: no file stands at the path, in a folder that is there.
            InboxMissing: its folder is not there, or may not be entered.
        """
        self._content.check_unchanged()

    def sha256(self) -> str:
        """Return the hex digest of the whole file, read again.

        Raises:
            SourceChanged: the file changed while it was read.
        """
        return self._content.sha256()

    def find_pages(self, cursor: Cursor, *, page_rows: int, max_pages: int) -> LoadedPages:
        """Find up to `max_pages` pages of `page_rows` records from `cursor` on.

        The ranges of the pages leave no gap: blank lines belong to the record before them, the header included. A
        page ends early at `MAX_PAGE_BYTES`. Values are not read, so `rejected` of a page is 0 whatever it holds, and
        `no_bare_quotes` is only true where that costs nothing to know.
        Costs as much time as the pages are long, and memory for one record.
        """
        unread = cursor.offset == 0
        offset, line = (self.dialect.data_start, self.dialect.data_line) if unread else (cursor.offset, cursor.line)
        at = Cursor(offset=offset, page=cursor.page, row=cursor.row, line=line)
        walk = self._borders(offset, line)
        pages: list[Page] = []
        while len(pages) < max_pages and (passed := _pass_page(walk, page_rows))[0]:
            records, no_bare_quotes = passed
            pages.append(_page(at, walk.offset, records, no_bare_quotes=no_bare_quotes))
            at = Cursor(offset=walk.offset, page=at.page + 1, row=at.row + records, line=walk.line)
        self.check_unchanged()
        at_end = not pages or at.offset >= self._window.size_bytes
        return LoadedPages(pages=pages, next=None if at_end else at)

    def read_page(self, page: Page, counted: Callable[[Tolerated], None] = lambda _: None) -> list[Record | Rejected]:
        """Return exactly the records of `page`, in order; `counted` is called with what reading them has tolerated.

        Raises:
            SourceChanged: the file changed while it was read, or the page was not found in this file.
        """
        return list(self.rows_of(page, counted))

    def rows_of(self, page: Page, counted: Callable[[Tolerated], None] = lambda _: None) -> Iterator[Record | Rejected]:
        """Yield the records of `page`, in order: of a long page one after the other, so that memory is for one.

        They are those of the page only once the last was yielded and nothing was raised. Then `counted` is called with
        what reading them has tolerated.

        Raises:
            SourceChanged: the file changed while it was read, or the page was not found in this file.
        """
        reader = RecordReader(
            encoding=self.dialect.encoding,
            fields=self.dialect.fields,
            width=len(self.dialect.columns),
            max_field_bytes=self._options.max_field_bytes,
            no_bare_quotes=page.no_bare_quotes,
        )
        records = PageRecords(self._window, self._grammar, reader, page)
        for block in records.blocks():
            yield from block
        self.check_unchanged()
        if (records.records, records.offset) != (page.records, page.source_end):
            raise SourceChanged(f"{self._content.name}: page {page.number} is not what it was; drop the file again")
        counted(Tolerated(blank_lines=records.blank_lines, bare_quotes=reader.bare_quotes))

    @property
    def _grammar(self) -> Grammar:
        return self.dialect.grammar(self._options.max_record_bytes)

    def _borders(self, offset: int, line: int) -> Borders:
        return Borders(self._window, self._grammar, offset, line=line)


def _dialect(content: PinnedFile, options: CsvOptions, pinned: Source | None) -> Dialect:
    if pinned is None:
        return find_dialect(content, options)
    if pinned.dialect is None:
        return dialect_of_header(content, options)
    return pinned_dialect(content, pinned.dialect, options)


def _pass_page(walk: Borders, page_rows: int) -> tuple[int, bool]:
    """Go past the records of one page and the blank lines behind it.

    Return how many records there were, and whether it is certain that they have no bare quotes: sound ones have none.
    """
    start = walk.offset
    records, no_bare_quotes = 0, True
    while records < page_rows and walk.find_record():
        passed = walk.pass_sound_records(page_rows - records, MAX_PAGE_BYTES - (walk.offset - start))
        records += passed
        if passed:
            continue
        walk.pass_record()
        no_bare_quotes = no_bare_quotes and not walk.can_have_bare_quotes()
        records += 1
        if walk.offset - start >= MAX_PAGE_BYTES:
            break
    walk.find_record()
    return records, no_bare_quotes


def _page(at: Cursor, source_end: int, records: int, *, no_bare_quotes: bool) -> Page:
    return Page(
        number=at.page,
        source_start=at.offset,
        source_end=source_end,
        first_row=at.row,
        records=records,
        line=at.line,
        no_bare_quotes=no_bare_quotes,
    )
