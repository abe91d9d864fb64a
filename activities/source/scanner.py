"""Where records start and end in a file, by byte offset, in bounded memory.

A border is a function of the bytes behind it alone, never of what was read before. So reading in pages, from any
border, gives the same records as reading whole. `activities.source.grammar` says what a record is; in addition:

- blank lines and comments are no records and belong to the record before them;
- a quote not closed within `max_record_bytes` of the record's start costs the lines up to its own: reading resumes at
  the next line, each line being read anew;
- so does a quote that is closed on a later line with text behind it (a quote too many, `"Anna""`), by rules 2;
- a record longer than that ends at the first line end past `max_record_bytes`, quoted or not.

Work is linear in the file: text between a quote and the one that closes it, or would, holds only even runs of quotes.
So no line of it opens a quoted field that it does not close, and the search is not made again.
"""

from __future__ import annotations

import re
from typing import Literal, Protocol

from activities.source.bare_quotes import can_have_bare_quotes
from activities.source.grammar import BAD_QUOTE_GROUP, Grammar, fields_pattern, record_pattern
from activities.source.sound_records import SoundRecords

BLOCK_BYTES = 65_536
"""Read at a time; more only where one record is longer, or the caller says how much it wants."""

MAX_FIRST_READ_BYTES = 1_048_576

NEWLINES = b"\r\n"
_CR, _LF = NEWLINES
_LINE_END_UNITS = 2
_BLANK_LINES = re.compile(rb"[\r\n]*+")

Fault = Literal["bad_quote", "unclosed_quote", "record_too_large"]


class Window(Protocol):
    """A file of a fixed size that can be read anywhere."""

    @property
    def size_bytes(self) -> int:
        """Bytes that may be read."""

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Return exactly the bytes asked for, cut at `size_bytes`."""


class Borders:
    """A forward walk over the records behind `offset`, which is a border at physical line `line`.

    `blank_lines` is how many `find_record` went over.
    """

    def __init__(self, window: Window, grammar: Grammar, offset: int, *, line: int = 1) -> None:
        self._window = window
        self._grammar = grammar
        self._limit = grammar.max_record_units
        self._record = record_pattern(grammar.fields, grammar.rules)
        self._sound = SoundRecords(grammar)
        self._comment = grammar.fields.comment.encode("latin-1")
        self._behind = grammar.fields.longest_delimiter
        self._base = offset
        self._raw = self._units = b""
        self._whole = False
        self._position = self._start = self._stop = 0
        self._line, self._counted, self._after_cr = line, 0, False
        self._next_read_bytes = BLOCK_BYTES
        self.fault: Fault | None = None
        self.blank_lines = 0

    @property
    def offset(self) -> int:
        """Byte offset of the border reached."""
        return min(self._base + self._position * self._grammar.unit_bytes, self._window.size_bytes)

    @property
    def line(self) -> int:
        """Physical line, from 1, that the border reached stands at."""
        self._count_lines()
        return self._line

    @property
    def content(self) -> bytes:
        """Bytes of the record last passed, without its line end; only where it has no `fault`."""
        scale = self._grammar.unit_bytes
        return self._raw[self._start * scale : self._stop * scale]

    @property
    def line_end(self) -> bytes:
        """The line end of the record last passed, in units; empty at the end of the file or where it has a `fault`."""
        return b"" if self.fault else self._units[self._stop : self._position]

    def can_have_bare_quotes(self) -> bool:
        """Return whether a quote may stand inside an unquoted field of the record last passed; False is certain."""
        if self.fault:
            return False
        record = self._units[self._start : self._stop]
        return not self._grammar.is_plain or can_have_bare_quotes(record, self._grammar.fields.delimiter)

    def expect(self, count_bytes: int) -> None:
        """Say how many bytes will surely be wanted, so that no more is read at first."""
        even_bytes = count_bytes + 4 & ~1
        self._next_read_bytes = min(even_bytes, MAX_FIRST_READ_BYTES)

    def find_record(self) -> bool:
        """Go over blank lines and comments to the start of the next record; False where the file ends first."""
        while self._pass_blank_lines():
            if not self._is_comment():
                return True
            self.pass_line()
        return False

    def _pass_blank_lines(self) -> bool:
        start = self._position
        if start < len(self._units) and self._units[start] not in NEWLINES:
            return True
        found = _BLANK_LINES.match(self._units, start)
        if found and start < found.end() < len(self._units):
            self._position = found.end()
            self.blank_lines += found.end() - start - self._units.count(b"\r\n", start, found.end())
            return True
        return self._pass_blank_lines_at_end()

    def _pass_blank_lines_at_end(self) -> bool:
        """Go over blank lines up to the end of what was read and on behind it, which may be in the midst of a CRLF."""
        before = self.line
        found = self._pass_line_ends()
        self.blank_lines += self.line - before
        return found

    def _pass_line_ends(self) -> bool:
        while self._position == len(self._units) or self._units[self._position] in NEWLINES:
            found = _BLANK_LINES.match(self._units, self._position)
            self._position = found.end() if found else self._position
            if self._position == len(self._units) and not self._fill():
                return False
        return True

    def _is_comment(self) -> bool:
        if not self._comment:
            return False
        while len(self._units) - self._position < len(self._comment) and self._fill():
            pass
        return self._units.startswith(self._comment, self._position)

    def pass_sound_records(self, most: int, most_bytes: int) -> int:
        """Go past records from the one that was found on, up to `most`, in less than `most_bytes`; return how many.

        It may be none, where `pass_record` goes on. Of the last, `content` and `line_end` are not known.
        """
        end = self._position + most_bytes // self._grammar.unit_bytes
        passed, self._position = self._sound.pass_some(self._units, self._position, most=most, end=end)
        return passed

    def pass_record(self) -> None:
        """Go past the record that was found; sets `fault` where it has no certain end, else `content`."""
        self.fault = None
        if not self._pass_matched():
            self._pass_broken()

    def _pass_matched(self) -> bool:
        """Go past the record where it ends within the limit; a match that touches the horizon might go on behind it."""
        while True:
            start = self._start = self._position
            known = len(self._units)
            horizon = min(known, start + self._limit + _LINE_END_UNITS + self._behind)
            found = self._record.match(self._units, start, horizon)
            at_end = self._whole and horizon == known
            if found is not None and found.lastindex == BAD_QUOTE_GROUP:
                if at_end or found.end() + self._behind <= horizon + 1:  # no delimiter may begin where the text does
                    return self._pass_bad_quote(found)
            elif found is not None and (at_end or found.end() < horizon):
                self._stop = found.start(1)
                if self._stop - start > self._limit:
                    return False
                self._position = found.end()
                return True
            if horizon < known or not self._fill():
                return False

    def _pass_bad_quote(self, found: re.Match[bytes]) -> bool:
        if found.end() - found.start() > self._limit:
            return False
        self.fault = "bad_quote"
        self._position = found.end(BAD_QUOTE_GROUP)
        return True

    def _pass_broken(self) -> None:
        line_end = self._open_quote_line_end(self._position)
        if line_end is None:
            self.fault = "record_too_large"
            self._position = min(self._position + self._limit, len(self._units))
            self.pass_line()
        else:
            self.fault = "unclosed_quote"
            self._position = line_end

    def _open_quote_line_end(self, start: int) -> int | None:
        """Return the end of the physical line that the quote still open at the limit stands on.

        None where no quote is open there, or where that line is itself longer than the limit.
        """
        limit = min(start + self._limit, len(self._units))
        sure = fields_pattern(self._grammar.fields, self._grammar.rules).match(self._units, start, limit)
        if sure is not None and sure.end() == limit:
            return None
        found = _newline(self._units, start if sure is None else sure.end(), start + self._limit + 1)
        if found is not None:
            return found[1]
        return len(self._units) if len(self._units) - start <= self._limit else None

    def pass_line(self) -> None:
        """Go past the rest of a physical line and its line end, whatever it is."""
        while True:
            found = _newline(self._units, self._position, len(self._units))
            if found is not None and (found[1] < len(self._units) or self._whole):
                self._position = found[1]
                return
            self._position = len(self._units) if found is None else found[0]
            if not self._fill():
                return

    def _fill(self) -> bool:
        """Forget what has been passed and read on; False where the file has no more."""
        if self._whole:
            return False
        self._count_lines()
        keep, scale = self._position, self._grammar.unit_bytes
        end = self._base + len(self._raw)
        wanted_bytes = max(self._next_read_bytes, len(self._raw) - keep * scale)
        self._raw = self._raw[keep * scale :] + self._window.read_at(end, wanted_bytes)
        self._units = self._grammar.reduced(self._raw)
        self._base += keep * scale
        self._position = self._counted = 0
        self._whole = self._base + len(self._raw) >= self._window.size_bytes
        self._next_read_bytes = BLOCK_BYTES
        return True

    def _count_lines(self) -> None:
        units, first, last = self._units, self._counted, self._position
        if first == last:
            return
        self._line += units.count(b"\n", first, last)
        returns = units.count(b"\r", first, last)
        if returns:
            self._line += returns - units.count(b"\r\n", first, last)
        if self._after_cr and units[first] == _LF:
            self._line -= 1
        self._after_cr = units[last - 1] == _CR
        self._counted = last


def _newline(units: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return the range of the first line end that starts in `[start, end)`."""
    feed = units.find(b"\n", start, end)
    carriage = units.find(b"\r", start, end if feed < 0 else feed)
    if carriage >= 0:
        return carriage, carriage + (2 if units[carriage + 1 : carriage + 2] == b"\n" else 1)
    return None if feed < 0 else (feed, feed + 1)
