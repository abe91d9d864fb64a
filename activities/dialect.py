"""How a file is written: encoding, delimiter, line ends, columns. Decided from its start, and recorded.

The same bytes give the same dialect, so each activity that opens the file decides anew and agrees with the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from activities.dialect_encoding import SAMPLE_BYTES, Encoding, encoding_of
from activities.header import check_required, columns
from activities.record_borders import Borders, Window
from activities.record_grammar import Grammar, separators_pattern
from activities.records import BadRecord, FieldSplitter, decoded
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions

DELIMITERS = b",;\t|"
"""What `auto` chooses from: the one most frequent in the header, the earlier one at a tie."""

QUOTE = '"'

_NEWLINE_SAMPLE_RECORDS = 100
_SETTING_NAMES = {"tab": "\t"}


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How one file is written.

    `newline` is the line end of the first records: `\n`, `\r\n`, `\r` or `mixed`. `data_start` is the byte offset
    behind the header and its blank lines, which is the start of physical line `data_line`: of the first record, or
    the end of a file that has none.
    """

    delimiter: str
    quote: str
    encoding: str
    newline: str
    columns: tuple[str, ...]
    data_start: int
    data_line: int = 2

    def grammar(self, max_record_bytes: int) -> Grammar:
        """Return how records of this dialect are told apart."""
        return _grammar(Encoding(self.encoding), self.delimiter.encode(), max_record_bytes)


def read_dialect(window: Window, options: CsvOptions) -> Dialect:
    """Decide the dialect of a file.

    Raises:
        InvalidCsv: the file is empty, no text, or its header cannot be read, or lacks a required column.
    """
    sample = window.read_at(0, SAMPLE_BYTES)
    encoding = encoding_of(sample, options.encoding, whole=window.size_bytes <= SAMPLE_BYTES)
    delimiter = _delimiter(window, encoding, options)
    walk = Borders(window, _grammar(encoding, delimiter, options.max_record_bytes), encoding.mark_bytes)
    names = _names(walk, encoding.name, delimiter)
    check_required(names, options.required_columns)
    header_end = walk.line_end
    walk.find_record()  # blank lines belong to the record before them
    data_start, data_line = walk.offset, walk.line
    return Dialect(
        delimiter=delimiter.decode(),
        quote=QUOTE,
        encoding=encoding.name,
        newline=_newline(walk, header_end),
        columns=columns(names),
        data_start=data_start,
        data_line=data_line,
    )


def _grammar(encoding: Encoding, delimiters: bytes, max_record_bytes: int) -> Grammar:
    return Grammar(
        delimiters=delimiters,
        max_record_bytes=max_record_bytes,
        unit_bytes=encoding.unit_bytes,
        big_endian=encoding.big_endian,
    )


def _delimiter(window: Window, encoding: Encoding, options: CsvOptions) -> bytes:
    if options.delimiter != "auto":
        return _SETTING_NAMES.get(options.delimiter, options.delimiter).encode()
    grammar = _grammar(encoding, DELIMITERS, options.max_record_bytes)
    walk = Borders(window, grammar, encoding.mark_bytes)
    if not walk.find_record():
        raise InvalidCsv("the file is empty: there is not even a header")
    walk.pass_record()
    header = b"" if walk.fault else grammar.reduced(walk.content)
    counts = Counter(separators_pattern(DELIMITERS).findall(header))
    return max((bytes([each]) for each in DELIMITERS), key=lambda each: counts[each])


def _names(walk: Borders, encoding: str, delimiter: bytes) -> list[str]:
    if not walk.find_record():
        raise InvalidCsv("the file is empty: there is not even a header")
    walk.pass_record()
    if walk.fault == "unclosed_quote":
        raise InvalidCsv("the header has a quote that is not closed; close it, or double it where it is text")
    if walk.fault == "record_too_large":
        raise InvalidCsv("the header is longer than BATCH_MAX_RECORD_BYTES; is this a CSV file?")
    try:
        return FieldSplitter(delimiter.decode()).split(decoded(walk.content, encoding))
    except BadRecord as bad:
        raise InvalidCsv(f"the header cannot be read: {bad.detail}") from None


def _newline(walk: Borders, header_end: bytes) -> str:
    seen = {header_end}
    for _ in range(_NEWLINE_SAMPLE_RECORDS):
        if not walk.find_record():
            break
        walk.pass_record()
        seen.add(walk.line_end)
    seen.discard(b"")
    return seen.pop().decode() if len(seen) == 1 else ("mixed" if seen else "\n")
