r"""The records of a CSV file, read one unit after the other: slow, plain, and written from `docs/csv.md` alone.

A unit is a byte, or in UTF-16 a code unit; whatever separates records and fields is ASCII.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from daemon.checker.form import CR, LF, NO_UNIT, Form


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """One record: `cells`, or where it is no valid row, `reason`. Offsets are bytes of the file, `end` is exclusive.

    `blank_lines` follow it; `bare_quotes` of its fields were taken for text.
    """

    number: int
    line: int
    start: int
    end: int
    cells: tuple[str, ...] = ()
    reason: str = ""
    blank_lines: int = 0
    bare_quotes: int = 0


def read_records(content: bytes, form: Form, *, start: int, line: int, width: int) -> Iterator[ReadRecord]:
    """Yield the records of a file from byte `start` on, which is on physical `line`."""
    walk = _Walk(form.units(content[start:]), form)
    number = 0
    walk.skip_blank_lines()
    while walk.at < walk.end:
        number += 1
        first, at_line = walk.at, line + walk.line
        reason, stop = walk.pass_record()
        cells: tuple[str, ...] = ()
        scale, end, bare_quotes = form.unit_bytes, walk.at, 0
        if not reason:
            cells, reason, bare_quotes = _cells(content[start + first * scale : start + stop * scale], form, width)
        yield ReadRecord(
            number=number,
            line=at_line,
            start=start + first * scale,
            end=min(start + end * scale, len(content)),
            cells=cells,
            reason=reason,
            blank_lines=walk.skip_blank_lines(),
            bare_quotes=bare_quotes,
        )


def line_ends(units: Sequence[int]) -> int:
    """Return how many line ends there are: CR, LF, or both together."""
    ends = sum(unit in (CR, LF) for unit in units)
    return ends - sum(pair == (CR, LF) for pair in pairwise(units))


class _Walk:
    """A position in units that goes over records, up to `end`; `line` counts the line ends passed."""

    def __init__(self, units: Sequence[int], form: Form) -> None:
        self.at = self.line = 0
        self._units = units
        self.end = len(units)
        self._limit = max(1, form.max_record_bytes // form.unit_bytes)
        self._delimiter, self._quote = ord(form.delimiter), ord(form.quote) if form.quote else NO_UNIT

    def skip_blank_lines(self) -> int:
        """Go to the next record, or the end of the file; return how many lines were passed, all of them blank."""
        before = self.line
        while self.at < self.end and self._units[self.at] in (CR, LF):
            self._go_to(self.at + 1)
        return self.line - before

    def pass_record(self) -> tuple[str, int]:
        """Go past one record; return why it has no certain end, else nothing, and where its content ends."""
        start = self.at
        end, reached = self._end_of(start)
        if end is None and reached is not None and reached - start <= self._limit:
            self._go_to(self._behind_line(self._opened))
            return "bad_quote", self.at
        if end is not None and end - start <= self._limit:
            self._go_to(self._behind_newline(end))
            return "", end
        return self._broken(start), self.at

    def _end_of(self, start: int) -> tuple[int | None, int | None]:
        """Return where the record at `start` ends.

        None where it does not: a quote stays open, or is a quote too many, which is proved by the second value.
        """
        at = start
        while True:
            if at < self.end and self._units[at] == self._quote:
                self._opened = at
                closed = self._closing(at, self.end)
                if closed is None:
                    return None, None
                at = closed + 1
                if self._is_quote_too_many(self._opened, closed, self.end):
                    return None, at + 1
            while at < self.end and self._units[at] not in (self._delimiter, CR, LF):
                at += 1
            if at == self.end or self._units[at] in (CR, LF):
                return at, None
            at += 1

    def _is_quote_too_many(self, opened: int, closed: int, before: int) -> bool:
        """True if a quoted field goes over a line end, and text stands behind its closing quote."""
        behind = closed + 1 < before and self._units[closed + 1] not in (self._delimiter, CR, LF)
        return behind and any(unit in (CR, LF) for unit in self._units[opened:closed])

    def _closing(self, opened: int, before: int) -> int | None:
        at = opened + 1
        while at < before:
            if self._units[at] != self._quote:
                at += 1
            elif at + 1 < before and self._units[at + 1] == self._quote:
                at += 2
            else:
                return at
        return None

    def _broken(self, start: int) -> str:
        """Go past a record that has no end within the limit."""
        limit = min(start + self._limit, self.end)
        opened = self._open_at(start, limit)
        if opened is not None:
            line_end = self._newline(opened, start + self._limit + 1)
            if line_end is not None:
                self._go_to(self._behind_newline(line_end))
                return "unclosed_quote"
            if self.end - start <= self._limit:
                self._go_to(self.end)
                return "unclosed_quote"
        self._go_to(self._behind_line(limit))
        return "record_too_large"

    def _open_at(self, start: int, limit: int) -> int | None:
        """Return where the quote was opened that is still open at `limit`, as far as what stands before it tells."""
        at = start
        while at < limit:
            if self._units[at] == self._quote:
                closed = self._closing(at, limit)
                if closed is None:
                    return at
                if self._is_quote_too_many(at, closed, limit):
                    return at
                at = closed + 1
            while at < limit and self._units[at] != self._delimiter:
                at += 1
            at += 1
        return None

    def _newline(self, at: int, before: int) -> int | None:
        for each in range(at, min(before, self.end)):
            if self._units[each] in (CR, LF):
                return each
        return None

    def _behind_line(self, at: int) -> int:
        found = self._newline(at, self.end)
        return self.end if found is None else self._behind_newline(found)

    def _behind_newline(self, at: int) -> int:
        if at == self.end:
            return at
        return at + 2 if self._units[at] == CR and at + 1 < self.end and self._units[at + 1] == LF else at + 1

    def _go_to(self, at: int) -> None:
        for each in range(self.at, at):
            after_cr = each > 0 and self._units[each - 1] == CR
            self.line += self._units[each] == CR or (self._units[each] == LF and not after_cr)
        self.at = at


def _cells(content: bytes, form: Form, width: int) -> tuple[tuple[str, ...], str, int]:
    """Return the cells of a record, or none and why it is no valid row, and how many bare quotes they hold."""
    try:
        text = content.decode(form.encoding)
    except UnicodeError:
        return (), "undecodable", 0
    if "\0" in text:
        return (), "nul_byte", 0
    cells: list[str] = []
    at = bare_quotes = 0
    while True:
        is_bare = not form.opens_quotes(text, at)
        cell, at, sound = _cell(text, at, form)
        if not sound:
            return (), "bad_quote", 0
        cells.append(cell)
        bare_quotes += cell.count(form.quote) if is_bare and form.quote else 0
        if bare_quotes and form.bare_quotes == "reject":
            return (), "bad_quote", 0
        if at == len(text):
            break
        at += 1
    if form.short_rows == "pad":
        cells += [""] * (width - len(cells))
    if any(len(cell.encode(form.encoding, "surrogatepass")) > form.max_field_bytes for cell in cells):
        return (), "field_too_large", bare_quotes
    return (tuple(cells), "", bare_quotes) if len(cells) == width else ((), "ragged", bare_quotes)


def _cell(text: str, at: int, form: Form) -> tuple[str, int, bool]:
    """Return the cell at `at`, where it ends, and whether nothing stands between its closing quote and there."""
    if not form.opens_quotes(text, at):
        end = text.find(form.delimiter, at)
        end = len(text) if end < 0 else end
        return text[at:end], end, True
    cell, at = "", at + 1
    while at < len(text):
        if text.startswith(form.quote * 2, at):
            cell, at = cell + form.quote, at + 2
        elif text[at] == form.quote:
            return cell, at + 1, at + 1 == len(text) or text[at + 1] == form.delimiter
        else:
            cell, at = cell + text[at], at + 1
    return cell, at, True
