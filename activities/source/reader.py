"""The records of one page, in order: runs of sound lines many at once, all else one by one, with the same result.

Reading many at once is three to five times as fast. Of a block of the page the sound records that it begins with are
taken; where it begins with none, smaller ones are tried, so that a record that is not sound costs little more than
itself; where nearly every record is like that, ever more is read one by one before the next try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from activities.source.grammar import Grammar
from activities.source.parser import Record, RecordReader, Rejected
from activities.source.scanner import Borders, Fault, Window
from workflows.models import Page

MOST_BYTES = 65_536
"""The longest block that is read at once; rows are held for one block."""

LEAST_BYTES = 4_096
_SHRINK = 4


class PageRecords:
    """A forward reading of `page`, whose start is a border.

    `offset`, `line`, `records` and `blank_lines` are of what was read: sound lines read at once are never blank.
    """

    def __init__(self, window: Window, grammar: Grammar, reader: RecordReader, page: Page) -> None:
        self._window = window
        self._grammar = grammar
        self._reader = reader
        self._page = page
        self._end = min(page.source_end, window.size_bytes)
        self.offset, self.line, self.records = page.source_start, page.line, 0
        self.blank_lines = 0

    def blocks(self) -> Iterator[Sequence[Record | Rejected]]:
        """Yield the records up to the end of the page, or as many as it is to have, some at a time."""
        # No longer than a record or a field may be: so no record of a block is too long.
        most_bytes = min(MOST_BYTES, self._grammar.max_record_bytes, self._reader.max_field_bytes)
        at_once, one_by_one = most_bytes, LEAST_BYTES
        while self.records < self._page.records and self.offset < self._end:
            begin = self.offset
            lines = self._sound_lines(at_once)
            if lines:
                yield lines
                few = self.offset - begin < at_once // _SHRINK and self.offset < self._end
                at_once = min(at_once, max(LEAST_BYTES, at_once // _SHRINK)) if few else min(2 * at_once, most_bytes)
                one_by_one = LEAST_BYTES
            elif at_once > LEAST_BYTES:
                at_once //= _SHRINK
            else:
                yield from self._one_by_one(one_by_one)
                one_by_one = min(2 * one_by_one, MOST_BYTES)
        if self.offset < self._end:
            yield from self._one_by_one(LEAST_BYTES)  # blank lines, unless the page is another one

    def _sound_lines(self, count_bytes: int) -> list[Record | Rejected] | None:
        """Go past the sound records in the next whole lines, of `count_bytes`; None where they begin with none."""
        raw = self._window.read_at(self.offset, min(count_bytes, self._end - self.offset))
        raw = raw[: self._whole_lines_bytes(raw)]
        found = self._reader.read_lines(
            raw,
            number=self._page.first_row + self.records,
            line=self.line,
            most=self._page.records - self.records,
        )
        if found is None:
            return None
        self.offset += found.size_bytes
        self.line += found.lines
        self.records += len(found.rows)
        return found.rows

    def _whole_lines_bytes(self, raw: bytes) -> int:
        end = self.offset + len(raw)
        units = self._grammar.reduced(raw)
        if end == self._window.size_bytes or (end == self._page.source_end and units.endswith((b"\n", b"\r"))):
            return len(raw)
        # A CR as the last unit might be the first half of a CRLF.
        whole = units.rfind(b"\n") + 1 or units.rfind(b"\r", 0, max(0, len(units) - 1)) + 1
        return whole * self._grammar.unit_bytes

    def _one_by_one(self, count_bytes: int) -> Iterator[Sequence[Record | Rejected]]:
        """Yield each record that starts in the next `count_bytes`, and go over the blank lines behind them."""
        end = min(self.offset + count_bytes, self._end)
        walk = Borders(self._window, self._grammar, self.offset, line=self.line)
        walk.expect(end - self.offset)
        while self.records < self._page.records and walk.find_record() and walk.offset < end:
            row = self._row(walk)
            self.records += 1
            yield (row,)
        walk.find_record()
        self.offset, self.line = walk.offset, walk.line
        self.blank_lines += walk.blank_lines

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
