"""The header and the first records of a file, as text and as cells, sound or not."""

from __future__ import annotations

from dataclasses import dataclass

from activities.source.detection.doubt import DoubtfulDialect, FeedValue, cells_as_text
from activities.source.dialect import Dialect
from activities.source.extent import beginning
from activities.source.field_format import FieldFormat
from activities.source.parser import BadRecord, FieldSplitter
from activities.source.scanner import Borders, Window

MOST_RECORDS = 100
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class FirstRecords:
    """`texts` and `rows` go together, and have no header; the row of a record that is not sound is empty.

    Where a file has no header, `header` is the text of its first record, which is among `texts` too.
    """

    fields: FieldFormat
    header: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    """The physical line of each."""

    @property
    def delimiter(self) -> str:
        """What separates the fields."""
        return self.fields.delimiter

    @property
    def fitting(self) -> list[tuple[str, ...]]:
        """The rows as wide as the header, without those that repeat it."""
        return [row for row in self.rows if len(row) == len(self.names) and row != self.names]


def first_records(window: Window, dialect: Dialect, max_record_bytes: int) -> FirstRecords:
    """Read the header and up to 100 records behind it, fewer where they are long."""
    window = beginning(window, dialect.data_end)
    line = _line_at(window, dialect, max_record_bytes)
    walk = Borders(window, dialect.grammar(max_record_bytes), dialect.header_start, line=line)
    splitter = FieldSplitter(dialect.fields)
    texts: list[str] = []
    lines: list[int] = []
    while len(texts) <= MOST_RECORDS and walk.offset - dialect.header_start < _MOST_BYTES and walk.find_record():
        lines.append(walk.line)
        walk.pass_record()
        texts.append("" if walk.fault == "record_too_large" else walk.content.decode(dialect.encoding, "replace"))
    rows = [_cells(splitter, each) for each in texts]
    if dialect.fields.trailing_delimiter:
        rows = [row if row and row[-1] else row[:-1] for row in rows]
    if not dialect.has_header:
        return FirstRecords(dialect.fields, texts[0], dialect.columns, tuple(texts), tuple(rows), tuple(lines))
    return FirstRecords(dialect.fields, texts[0], rows[0], tuple(texts[1:]), tuple(rows[1:]), tuple(lines[1:]))


def _line_at(window: Window, dialect: Dialect, max_record_bytes: int) -> int:
    """Return the physical line at which the header stands."""
    walk = Borders(window, dialect.grammar(max_record_bytes), 0)
    while True:
        line, offset = walk.line, walk.offset
        walk.pass_line()
        if walk.offset > dialect.header_start or walk.offset == offset:
            return line


def doubt_of_header(first: FirstRecords, what: str, todo: str, **keys: FeedValue) -> DoubtfulDialect:
    """Return the doubt whether the first record is the header; it shows a record below it, and `keys` for its feed."""
    below = next((row for row in first.rows if row), ())
    shown = f"{what} (as the header: {cells_as_text(first.names)}; below it: {cells_as_text(below)})"
    return DoubtfulDialect("header", shown, logged=what, todo=todo, keys=keys)


def _cells(splitter: FieldSplitter, text: str) -> tuple[str, ...]:
    try:
        return tuple(splitter.split(text))
    except BadRecord:
        return ()
