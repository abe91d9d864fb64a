r"""What a record looks like, as patterns over units of one byte.

RFC 4180 with what is met in the wild: a record ends at LF, CRLF or CR outside quotes, or at the end of the file. A
quote opens a quoted field only as the field's first character, elsewhere it is text. After a closing quote the field
goes on unquoted to its delimiter: the record is rejected later, but its border is not in doubt. Where such a field has
a line end inside its quotes, most likely a quote too many opened it: the record ends with the line it was opened on.
A line end behind an escape character belongs to its field, quoted or not.

UTF-16 is reduced to one byte a code unit first; every unit from 0x100 up becomes 0xFF, as only ASCII matters here.
Patterns are written once, as text, for the units of bytes (in Latin-1) and for the characters of a record alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from activities.source.field_format import FieldFormat

RECORD_RULES = 2
"""The rules that a file claimed today is read by. By rules 1, of 0.1.0, a field with text behind its closing quote
belongs whole to its record, over any number of lines; a batch that began by them ends by them."""

BAD_QUOTE_GROUP = 2
"""The group of a record pattern that ends where reading goes on behind a quote too many."""

_LOW_OR_HIGH = bytes(1) + b"\xff" * 255
_LINE_END = r"(\r\n|[\r\n])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How records are told apart.

    The marks of `fields` are written in units, each a character of Latin-1. `unit_bytes` is 2 for UTF-16, else 1.
    `rules` is `RECORD_RULES`, or those of a batch that began earlier.
    """

    fields: FieldFormat
    max_record_bytes: int
    unit_bytes: int = 1
    big_endian: bool = False
    rules: int = RECORD_RULES

    @property
    def is_plain(self) -> bool:
        """Whether its fields are written as most are, so that sound lines are records."""
        return self.fields.is_plain

    @property
    def max_record_units(self) -> int:
        """The cap on a record, in units."""
        return max(1, self.max_record_bytes // self.unit_bytes)

    def reduced(self, raw: bytes) -> bytes:
        """Return one byte for each code unit of `raw`; a lone last byte of UTF-16 counts as a unit."""
        if self.unit_bytes == 1:
            return raw
        low, high = (raw[1::2], raw[0::2]) if self.big_endian else (raw[0::2], raw[1::2])
        count = min(len(low), len(high))
        flags = high[:count].translate(_LOW_OR_HIGH)
        merged = int.from_bytes(low[:count], "little") | int.from_bytes(flags, "little")
        return merged.to_bytes(count, "little") + b"\xff" * (len(raw) % 2)


@lru_cache(maxsize=64)
def fields_pattern(fields: FieldFormat, rules: int = RECORD_RULES) -> re.Pattern[bytes]:
    """Return the pattern of as many whole fields as there are; it stops short of a quote that is not closed.

    By rules 2 it stops short of a quote too many as well.
    """
    return _compiled(_fields(fields, rules))


@lru_cache(maxsize=64)
def record_pattern(fields: FieldFormat, rules: int = RECORD_RULES) -> re.Pattern[bytes]:
    """Return the pattern of one record; group 1 is its line end, empty at the end of the text.

    By rules 2, where a quote too many swallowed a line end, that line end is `BAD_QUOTE_GROUP` instead, and the match
    goes on to what proves it.
    """
    several = _fields(fields, rules)
    record = rf"(?:[^{_set(fields.quote, fields.escape)}\r\n]++|{several})(\r\n|[\r\n]|\Z)"
    if rules == 1 or not fields.quote:
        return _compiled(record)
    escaped = f"{re.escape(fields.escape)}?+" if fields.escape else ""
    opened = _quote(fields) + _quoted(fields, on_one_line=True) + escaped + _LINE_END
    closed = _quoted(fields) + re.escape(fields.quote) + _blanks(fields) + f"(?!{_separator(fields)})" + r"[^\r\n]"
    return _compiled(f"{record}|(?:{several}{_separator(fields)})?+{opened}{closed}")


@lru_cache(maxsize=64)
def separators_pattern(fields: FieldFormat) -> re.Pattern[bytes]:
    """Return the pattern of a field of a record and the delimiter behind it, which is group 1, empty at the end."""
    return _compiled(rf"{_field(fields)}({_separator(fields)}|\Z)")


@lru_cache(maxsize=64)
def field_pattern(fields: FieldFormat) -> re.Pattern[bytes]:
    """Return the pattern of a field of a record (group 1) and the delimiter behind it (2), empty at the end."""
    return _compiled(rf"({_field(fields)})({_separator(fields)}|\Z)")


@lru_cache(maxsize=64)
def value_pattern(fields: FieldFormat) -> re.Pattern[str]:
    """Return the pattern of a field in the text of a record, and of the delimiter behind it, empty at the end.

    Groups: `quoted`, what stands between quotes; `behind`, the text behind the closing one; `bare`, all of a field
    without quotes; `delimiter`.
    """
    text = _text(fields) + "*+"
    quote = re.escape(fields.quote)
    quoted = f"{_quote(fields)}(?P<quoted>{_quoted(fields)}){quote}" if quote else "(?P<quoted>(?!))"
    return re.compile(
        rf"(?:{quoted}(?P<behind>{text})|{_not_quoted(fields)}(?P<bare>{text}))(?P<delimiter>{_separator(fields)}|\Z)"
    )


@lru_cache(maxsize=64)
def escaped_pattern(fields: FieldFormat) -> re.Pattern[str]:
    """Return the pattern of an escape character that takes a meaning away, and what had it, which is group 1."""
    meaning = _set(fields.quote, fields.escape, *(each[0] for each in fields.delimiters))
    return re.compile(rf"{re.escape(fields.escape)}([{meaning}\r\n])")


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("latin-1"))


def _fields(fields: FieldFormat, rules: int) -> str:
    field = _field(fields) if rules == 1 else _sound_field(fields)
    return f"{field}(?:{_separator(fields)}{field})*+"


def _field(fields: FieldFormat) -> str:
    """Return a field. Its loops are possessive: there is one way to read a text, so a failure costs one pass."""
    text, quote = _text(fields) + "*+", re.escape(fields.quote)
    quoted = f"{_quote(fields)}{_quoted(fields)}{quote}{text}|" if quote else ""
    return f"(?:{quoted}{_not_quoted(fields)}{text})"


def _sound_field(fields: FieldFormat) -> str:
    """Return a field that has no text behind its closing quote, unless it is all on one line."""
    if not fields.quote:
        return _field(fields)
    text, quote = _text(fields), re.escape(fields.quote)
    whole = f"{_quote(fields)}{_quoted(fields)}{quote}{_blanks(fields)}(?!{text})"
    on_one_line = f"{_quote(fields)}{_quoted(fields, on_one_line=True)}{quote}{text}*+"
    return f"(?:{whole}|{on_one_line}|{_not_quoted(fields)}{text}*+)"


def _not_quoted(fields: FieldFormat) -> str:
    return f"(?!{_quote(fields)})" if fields.quote else ""


def _quote(fields: FieldFormat) -> str:
    """Return an opening quote, with the blanks that may stand before it."""
    return _blanks(fields) + re.escape(fields.quote)


def _blanks(fields: FieldFormat) -> str:
    return f"[{_set(fields.blanks)}]*+" if fields.blanks else ""


def _quoted(fields: FieldFormat, *, on_one_line: bool = False) -> str:
    """Return what stands between quotes; with `on_one_line` up to a line end."""
    line_ends, escaped = (r"\r\n", r"[^\r\n]") if on_one_line else ("", r"[\s\S]")
    others, quote = f"[^{_set(fields.quote, fields.escape)}{line_ends}]*+", re.escape(fields.quote)
    pair = re.escape(fields.escape) + escaped if fields.escape else quote + quote
    return f"{others}(?:{pair}{others})*+"


def _text(fields: FieldFormat) -> str:
    """Return one piece of text outside quotes: a unit, or a line end with the escape character before it."""
    firsts = _set(*(each[0] for each in fields.delimiters if len(each) > 1))
    others = _set(*(each[0] for each in fields.delimiters), fields.escape)
    pieces = [rf"[^{others}\r\n]"]
    if firsts:
        pieces.append(f"(?!{_separator(fields)})[{firsts}]")
    if fields.escape:
        pieces.append(rf"{re.escape(fields.escape)}(?:\r\n|[\s\S])?+")
    return pieces[0] if len(pieces) == 1 else f"(?:{'|'.join(pieces)})"


def _separator(fields: FieldFormat) -> str:
    if all(len(each) == 1 for each in fields.delimiters):
        return f"[{_set(*fields.delimiters)}]"
    longest_first = sorted(fields.delimiters, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def _set(*marks: str) -> str:
    return re.escape("".join(marks))
