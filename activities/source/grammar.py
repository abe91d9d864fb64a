r"""What a record looks like, as patterns over units of one byte.

RFC 4180 with what is met in the wild: a record ends at LF, CRLF or CR outside quotes, or at the end of the file. A
quote opens a quoted field only as the field's first character, elsewhere it is text. After a closing quote the field
goes on unquoted to its delimiter: the record is rejected later, but its border is not in doubt. Where such a field has
a line end inside its quotes, most likely a quote too many opened it: the record ends with the line it was opened on.

UTF-16 is reduced to one byte a code unit first; every unit from 0x100 up becomes 0xFF, as only ASCII matters here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

RECORD_RULES = 2
"""The rules that a file claimed today is read by. By rules 1, of 0.1.0, a field with text behind its closing quote
belongs whole to its record, over any number of lines; a batch that began by them ends by them."""

BAD_QUOTE_GROUP = 2
"""The group of a record pattern that ends where reading goes on behind a quote too many."""

_LOW_OR_HIGH = bytes(1) + b"\xff" * 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How records are told apart.

    `delimiters` is one byte, or several where any of them separates. `unit_bytes` is 2 for UTF-16, else 1. `rules` is
    `RECORD_RULES`, or those of a batch that began earlier.
    """

    delimiters: bytes
    max_record_bytes: int
    unit_bytes: int = 1
    big_endian: bool = False
    rules: int = RECORD_RULES

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
def fields_pattern(delimiters: bytes, rules: int = RECORD_RULES) -> re.Pattern[bytes]:
    """Return the pattern of as many whole fields as there are; it stops short of a quote that is not closed.

    By rules 2 it stops short of a quote too many as well.
    """
    field = _field(delimiters) if rules == 1 else _sound_field(delimiters)
    return re.compile(field + b"(?:" + _separator(delimiters) + field + b")*+")


@lru_cache(maxsize=64)
def record_pattern(delimiters: bytes, rules: int = RECORD_RULES) -> re.Pattern[bytes]:
    """Return the pattern of one record; group 1 is its line end, empty at the end of the text.

    By rules 2, where a quote too many swallowed a line end, that line end is `BAD_QUOTE_GROUP` instead, and the match
    goes on to what proves it.
    """
    fields = fields_pattern(delimiters, rules).pattern
    record = rb'(?:[^"\r\n]++|' + fields + rb")(\r\n|[\r\n]|\Z)"
    if rules == 1:
        return re.compile(record)
    opened = rb'"[^"\r\n]*+(?:""[^"\r\n]*+)*+(\r\n|[\r\n])'
    closed = rb'[^"]*+(?:""[^"]*+)*+"' + _text(delimiters)
    return re.compile(record + b"|(?:" + fields + _separator(delimiters) + b")?+" + opened + closed)


@lru_cache(maxsize=64)
def separators_pattern(delimiters: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a field of a record and the delimiter behind it, which is group 1, empty at the end."""
    return re.compile(_field(delimiters) + b"([" + re.escape(delimiters) + rb"]|\Z)")


@lru_cache(maxsize=64)
def field_pattern(delimiters: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a field of a record (group 1) and the delimiter behind it (2), empty at the end."""
    return re.compile(b"(" + _field(delimiters) + b")([" + re.escape(delimiters) + rb"]|\Z)")


def _field(delimiters: bytes) -> bytes:
    """Return a field. Its loops are possessive: there is one way to read a text, so a failure costs one pass."""
    text = _text(delimiters) + b"*+"
    return rb'(?:"[^"]*+(?:""[^"]*+)*+"' + text + rb'|(?!")' + text + b")"


def _sound_field(delimiters: bytes) -> bytes:
    """Return a field that has no text behind its closing quote, unless it is all on one line."""
    text = _text(delimiters)
    whole = rb'"[^"]*+(?:""[^"]*+)*+"(?!' + text + b")"
    on_one_line = rb'"[^"\r\n]*+(?:""[^"\r\n]*+)*+"' + text + b"*+"
    return b"(?:" + whole + b"|" + on_one_line + rb'|(?!")' + text + b"*+)"


def _text(delimiters: bytes) -> bytes:
    return b"[^" + re.escape(delimiters) + rb"\r\n]"


def _separator(delimiters: bytes) -> bytes:
    return b"[" + re.escape(delimiters) + b"]"
