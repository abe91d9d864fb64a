"""The records of one page, in order: runs of sound lines many at once, all else one by one, with the same result.

Reading lines at once is two to three times as fast. A block of the page that is not all of sound lines is tried again
in smaller ones, so that a field of several lines costs little more than itself; where nearly every record is like
that, ever more is read one by one before the next try.
"""

from __future__ import annotations

from collections.abc import Iterator

from activities.source.grammar import Grammar
from activities.source.parser import Record, RecordReader, Rejected
from activities.source.scanner import Borders, Fault, Window
from workflows.models import Page

MOST_BYTES = 65_536
"""The longest block that is read at once; rows are held for one block."""

LEAST_BYTES = 4_096
_SHRINK = 4


class PageRecords:
    """A forward reading of `page`, whose start is a border; `offset`, `line` and `records` are of what was read."""

    def __init__(self, window: Window, grammar: Grammar, reader: RecordReader, page: Page) -> None:
        self._window = window
        self._grammar = grammar
        self._reader = reader
        self._page = page
        self._end = min(page.source_end, window.size_bytes)
        self.offset, self.line, self.records = page.source_start, page.line, 0

    def rows(self) -> Iterator[Record | Rejected]:
        """Yield the records up to the end of the page, or as many as it is to have."""
        at_once, one_by_one = MOST_BYTES, LEAST_BYTES
        while self.records < self._page.records and self.offset < self._end:
            lines = self._sound_lines(at_once)
            if lines:
                yield from lines
                at_once, one_by_one = min(2 * at_once, MOST_BYTES), LEAST_BYTES
            elif at_once > LEAST_BYTES:
                at_once //= _SHRINK
            else:
                yield from self._one_by_one(one_by_one)
                one_by_one = min(2 * one_by_one, MOST_BYTES)
        if self.offset < self._end:
            yield from self._one_by_one(LEAST_BYTES)  # blank lines, unless the page is another one

    def _sound_lines(self, count_bytes: int) -> list[Record | Rejected] | None:
        """Go past the next whole lines, up to `count_bytes` of them; None where there is anything to be careful of."""
        raw = self._window.read_at(self.offset, min(count_bytes, self._end - self.offset))
        raw = raw[: self._whole_lines_bytes(raw)]
        rows = self._reader.read_lines(
            raw,
            number=self._page.first_row + self.records,
            line=self.line,
            max_line_bytes=self._grammar.max_record_bytes,
        )
        if rows is None or self.records + len(rows) > self._page.records:
            return None
        self.offset += len(raw)
        self.line += len(rows)
        self.records += len(rows)
        return rows

    def _whole_lines_bytes(self, raw: bytes) -> int:
        end = self.offset + len(raw)
        units = self._grammar.reduced(raw)
        if end == self._window.size_bytes or (end == self._page.source_end and units.endswith((b"\n", b"\r"))):
            return len(raw)
        # A CR as the last unit might be the first half of a CRLF.
        whole = units.rfind(b"\n") + 1 or units.rfind(b"\r", 0, max(0, len(units) - 1)) + 1
        return whole * self._grammar.unit_bytes

    def _one_by_one(self, count_bytes: int) -> Iterator[Record | Rejected]:
        """Yield the records that start in the next `count_bytes`, and go over the blank lines behind them."""
        end = min(self.offset + count_bytes, self._end)
        walk = Borders(self._window, self._grammar, self.offset, line=self.line)
        walk.expect(end - self.offset)
        while self.records < self._page.records and walk.find_record() and walk.offset < end:
            row = self._row(walk)
            self.records += 1
            yield row
        walk.find_record()
        self.offset, self.line = walk.offset, walk.line

    def _row(self, walk: Borders) -> Record | Rejected:
        number, line = self._page.first_row + self.records, walk.line
        walk.pass_record()
        if walk.fault is None:
            return self._reader.read(walk.content, number=number, line=line)
        return Rejected(number, line, walk.fault, _detail(walk.fault, self._grammar.max_record_bytes))


def _detail(fault: Fault, limit_bytes: int) -> str:
    if fault == "bad_quote":
        return "text behind a closing quote that stands on a later line; reading goes on at the next line"
    return (
        f"no closing quote within {limit_bytes} bytes"
        if fault == "unclosed_quote"
        else f"longer than {limit_bytes} bytes"
    )
