r"""What a record looks like, as patterns over units of one byte.

RFC 4180 with what is met in the wild: a record ends at LF, CRLF or CR outside quotes, or at the end of the file. A
quote opens a quoted field only as the field's first character, elsewhere it is text. After a closing quote the field
goes on unquoted to its delimiter: the record is rejected later, but its border is not in doubt.

UTF-16 is reduced to one byte a code unit first; every unit from 0x100 up becomes 0xFF, as only ASCII matters here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_LOW_OR_HIGH = bytes(1) + b"\xff" * 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How records are told apart.

    `delimiters` is one byte, or several where any of them separates. `unit_bytes` is 2 for UTF-16, else 1.
    """

    delimiters: bytes
    max_record_bytes: int
    unit_bytes: int = 1
    big_endian: bool = False

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
def fields_pattern(delimiters: bytes) -> re.Pattern[bytes]:
    """Return the pattern of as many whole fields as there are; it stops short of a quote that is not closed."""
    separator = b"[" + re.escape(delimiters) + b"]"
    return re.compile(_field(delimiters) + b"(?:" + separator + _field(delimiters) + b")*+")


@lru_cache(maxsize=64)
def record_pattern(delimiters: bytes) -> re.Pattern[bytes]:
    """Return the pattern of one record; group 1 is its line end, empty at the end of the text."""
    fields = fields_pattern(delimiters).pattern
    return re.compile(rb'(?:[^"\r\n]++|' + fields + rb")(\r\n|[\r\n]|\Z)")


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
    text = b"[^" + re.escape(delimiters) + rb"\r\n]*+"
    return rb'(?:"[^"]*+(?:""[^"]*+)*+"' + text + rb'|(?!")' + text + b")"
