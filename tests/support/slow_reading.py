"""A CSV reader as slow and plain as can be, a character at a time: what the settings of a dialect mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LINE_ENDS = "\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a text is written."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    comment: str = ""
    trim: bool = False
    bare_quotes: str = "accept"

    @property
    def blanks(self) -> str:
        return (" \t" if self.delimiter != "\t" else " ") if self.trim else ""


@dataclass(slots=True)
class Field:
    """A field up to `end`; `open_at` is where its quote stands that nothing closes."""

    value: str
    end: int
    bad: bool = False
    open_at: int = -1
    bare_quotes: int = 0


@dataclass(slots=True)
class SlowRecord:
    """A record: its line, its values or why it has none, the quotes in its unquoted fields, blank lines behind it."""

    line: int
    values: list[str] | str
    bare_quotes: int
    blank_lines: int = 0


def slow_reading(text: str, writing: Writing, start: int = 0) -> list[tuple[int, list[str] | str]]:
    """Return the line of each record of `text` from `start` on, header included, and its values or why it has none."""
    return [(each.line, each.values) for each in slow_records(text, writing, start)]


def slow_records(text: str, writing: Writing, start: int = 0) -> list[SlowRecord]:
    """Return each record of `text` from `start` on, header included."""
    found: list[SlowRecord] = []
    at = start
    while at < len(text):
        if text[at] in LINE_ENDS:
            for each in found[-1:]:
                each.blank_lines += 1
        elif writing.comment and text.startswith(writing.comment, at):
            at = _line_end(text, at)
        else:
            line = 1 + len(re.findall("\r\n|[\r\n]", text[:at]))
            values, at, bare_quotes = _record(text, at, writing)
            found.append(SlowRecord(line, values, bare_quotes))
        at += 2 if text.startswith("\r\n", at) else 1
    return found


def slow_tolerated(records: Sequence[SlowRecord]) -> tuple[int, int]:
    """Return the blank lines behind records, and the quotes in their unquoted fields."""
    return sum(each.blank_lines for each in records), sum(each.bare_quotes for each in records)


def slow_part(text: str, skip_lines: int, footer: str) -> tuple[int, int]:
    """Return where the header and the records of `text` begin and end."""
    lines = [found.span() for found in re.finditer("[^\r\n]*(?:\r\n|[\r\n])|[^\r\n]+$", text)]
    start = lines[skip_lines - 1][1] if skip_lines else 0
    end = len(text)
    for first, last in reversed(lines[skip_lines:]):
        line = text[first:last].rstrip(LINE_ENDS)
        if footer and re.fullmatch(footer, line):
            end = first
        elif line.strip():
            break
    return start, end


def _record(text: str, at: int, writing: Writing) -> tuple[list[str] | str, int, int]:
    values, bad, bare_quotes = list[str](), False, 0
    while True:
        field = _field(text, at, writing)
        if field.open_at >= 0:
            return "bad_quote" if field.bad else "unclosed_quote", _line_end(text, field.open_at), 0
        values.append(field.value)
        bad, at, bare_quotes = bad or field.bad, field.end, bare_quotes + field.bare_quotes
        if not text.startswith(writing.delimiter, at):
            return ("bad_quote", at, 0) if bad else (values, at, bare_quotes)
        at += len(writing.delimiter)


def _field(text: str, at: int, writing: Writing) -> Field:
    start = at
    while at < len(text) and text[at] in writing.blanks:
        at += 1
    if not writing.quote or text[at : at + 1] != writing.quote:
        value, end, quotes = _bare(text, start, writing)
        return Field(value, end, bad=quotes > 0 and writing.bare_quotes == "reject", bare_quotes=quotes)
    start, value, at = at, "", at + 1
    while True:
        if at >= len(text):
            return Field("", at, open_at=start)
        if writing.escape and text[at] == writing.escape:
            if at + 1 >= len(text):
                return Field("", at, open_at=start)
            value, at = value + _meant(text[at + 1], writing), at + 2
        elif text[at] != writing.quote:
            value, at = value + text[at], at + 1
        elif not writing.escape and text[at + 1 : at + 2] == writing.quote:
            value, at = value + writing.quote, at + 2
        else:
            break
    behind, end, _ = _bare(text, at + 1, writing)
    if behind and any(each in LINE_ENDS for each in text[start:at]):
        return Field("", at, bad=True, open_at=start)
    return Field(value, end, bad=bool(behind))


def _bare(text: str, at: int, writing: Writing) -> tuple[str, int, int]:
    """Return text outside quotes, up to a delimiter or a line end, and how many meaning quotes are in it."""
    start = at
    while at < len(text) and text[at] not in LINE_ENDS and not text.startswith(writing.delimiter, at):
        if text[at] != writing.escape:
            at += 1
        else:
            at += 3 if text.startswith("\r\n", at + 1) else 2
    end = min(at, len(text))
    raw, at = text[start:end].strip(writing.blanks) if writing.trim else text[start:end], 0
    value, quotes = "", 0
    while at < len(raw):
        if raw[at] != writing.escape:
            value, quotes, at = value + raw[at], quotes + (raw[at] == writing.quote), at + 1
        elif at + 1 < len(raw):
            value, at = value + _meant(raw[at + 1], writing), at + 2
        else:
            value, at = value + raw[at], at + 1
    return value, end, quotes


def _meant(escaped: str, writing: Writing) -> str:
    had_meaning = escaped in {writing.quote, writing.escape, writing.delimiter[0], *LINE_ENDS}
    return escaped if had_meaning else writing.escape + escaped


def _line_end(text: str, at: int) -> int:
    return next((i for i in range(at, len(text)) if text[i] in LINE_ENDS), len(text))
