"""Which part of a file is header and records: behind lines that come before them, and before a footer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from activities.source.encoding import Encoding
from activities.source.field_format import FieldFormat
from activities.source.scanner import Borders, Window

FOOTER_BYTES = 65_536
"""So much of the end of a file is looked at for its footer."""

_LINE = re.compile(rb"([^\r\n]*+)(?:\r\n|[\r\n]|\Z)")
_REST_OF_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|[\r\n]|\Z)")
_ANY_FIELDS = FieldFormat(delimiters=(",",))


@dataclass(frozen=True, slots=True)
class Beginning:
    """A window that ends at `size_bytes` of another, as if nothing stood behind it."""

    window: Window
    size_bytes: int

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Return exactly the bytes asked for, cut at `size_bytes`."""
        return self.window.read_at(offset, max(0, min(count_bytes, self.size_bytes - offset)))


def beginning(window: Window, end: int) -> Window:
    """Return the part of `window` up to byte `end`; all of it where that is 0."""
    return Beginning(window, end) if end else window


def behind_lines(window: Window, encoding: Encoding, count: int) -> tuple[int, int]:
    """Return the byte offset behind byte order marks and `count` physical lines, and the line that stands there."""
    walk = Borders(window, encoding.grammar(_ANY_FIELDS, 1), encoding.mark_bytes)
    for _ in range(count):
        walk.pass_line()
    return walk.offset, walk.line


def records_end(window: Window, encoding: Encoding, footer: str, start: int) -> int:
    """Return the byte offset of the footer of a file whose header is at `start`, 0 where it has none.

    The footer begins with the first line of the last ones that all are blank or match `footer` as a whole; it is looked
    for in the last `FOOTER_BYTES` alone.
    """
    if not footer:
        return 0
    pattern, scale = re.compile(footer), encoding.unit_bytes
    offset = max(start, (window.size_bytes - FOOTER_BYTES) // scale * scale)
    raw = window.read_at(offset, FOOTER_BYTES + scale)
    units = encoding.grammar(_ANY_FIELDS, 1).reduced(raw)
    cut = _REST_OF_LINE.match(units)
    lines = _LINE.finditer(units, cut.end() if cut and offset > start else 0)
    end = 0
    for line in reversed(list(lines)):
        text = raw[line.start() * scale : line.end(1) * scale].decode(encoding.name, "replace")
        if pattern.fullmatch(text):
            end = offset + line.start() * scale
        elif text.strip():
            break
    return end
