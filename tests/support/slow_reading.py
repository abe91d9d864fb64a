"""A CSV reader as slow and plain as can be, a character at a time: what the settings of a dialect mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_ENDS = "\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a text is written."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""


@dataclass(slots=True)
class Field:
    """A field, from `start` to `end`; `open_at` is where its quote stands that nothing closes."""

    value: str
    end: int
    bad: bool = False
    open_at: int = -1


def slow_reading(text: str, writing: Writing) -> list[tuple[int, list[str] | str]]:
    """Return the line of each record of `text`, header included, and its values, or why it has none."""
    found: list[tuple[int, list[str] | str]] = []
    at = 0
    while at < len(text):
        if text[at] in LINE_ENDS:
            at += 1
            continue
        line = 1 + len(re.findall("\r\n|[\r\n]", text[:at]))
        values, at = _record(text, at, writing)
        found.append((line, values))
    return found


def _record(text: str, at: int, writing: Writing) -> tuple[list[str] | str, int]:
    values, bad = list[str](), False
    while True:
        field = _field(text, at, writing)
        if field.open_at >= 0:
            return "bad_quote" if field.bad else "unclosed_quote", _line_end(text, field.open_at)
        values.append(field.value)
        bad, at = bad or field.bad, field.end
        if not text.startswith(writing.delimiter, at):
            return "bad_quote" if bad else values, at
        at += len(writing.delimiter)


def _field(text: str, at: int, writing: Writing) -> Field:
    if not writing.quote or text[at : at + 1] != writing.quote:
        return Field(*_bare(text, at, writing))
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
    behind, end = _bare(text, at + 1, writing)
    if behind and any(each in LINE_ENDS for each in text[start:at]):
        return Field("", at, bad=True, open_at=start)
    return Field(value, end, bad=bool(behind))


def _bare(text: str, at: int, writing: Writing) -> tuple[str, int]:
    """Return text outside quotes, up to a delimiter or a line end."""
    value = ""
    while at < len(text) and text[at] not in LINE_ENDS and not text.startswith(writing.delimiter, at):
        if text[at] != writing.escape:
            value, at = value + text[at], at + 1
        elif text.startswith("\r\n", at + 1):
            value, at = value + "\r\n", at + 3
        elif at + 1 < len(text):
            value, at = value + _meant(text[at + 1], writing), at + 2
        else:
            value, at = value + writing.escape, at + 1
    return value, at


def _meant(escaped: str, writing: Writing) -> str:
    had_meaning = escaped in {writing.quote, writing.escape, writing.delimiter[0], *LINE_ENDS}
    return escaped if had_meaning else writing.escape + escaped


def _line_end(text: str, at: int) -> int:
    return next((i for i in range(at, len(text)) if text[i] in LINE_ENDS), len(text))
