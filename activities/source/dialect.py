"""How a file is written: encoding, delimiter, line ends, columns. Found once, when the file is claimed, and pinned.

From then on the header alone is read again. Finding looks at all bytes of the file for its encoding, and at its first
records for the rest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from activities.source.delimiter import (
    DELIMITERS,
    SAMPLE_RECORDS,
    Sheet,
    declared_delimiter,
    find_delimiter,
    most_frequent,
)
from activities.source.encoding import SAMPLE_BYTES, Encoding, Utf8Scan, encoding_of, guessed_by_sample
from activities.source.field_format import DEFAULT_QUOTE, FieldFormat
from activities.source.grammar import RECORD_RULES, Grammar
from activities.source.header import check_number, check_required, columns
from activities.source.parser import BadRecord, FieldSplitter, decoded
from activities.source.scanner import Borders, Window
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions, PinnedDialect

_SCAN_BLOCK_BYTES = 1_048_576
_OTHER_RULES = ("escape", "header_start", "data_end")
_SETTING_NAMES = {"tab": "\t"}


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How one file is written.

    `newline` is the line end of the first records: `\n`, `\r\n`, `\r` or `mixed`. `data_start` is the byte offset
    behind the header and its blank lines, which is the start of physical line `data_line`: of the first record, or
    the end of a file that has none. `header_start` is the byte offset behind what may stand before the header: byte
    order marks and a line that names the separator. `record_rules` says by which rules its records are told apart. The
    records end at byte `data_end`, where a footer begins; 0 is the end of the file.
    """

    fields: FieldFormat
    encoding: str
    newline: str
    columns: tuple[str, ...]
    data_start: int
    data_line: int = 2
    header_start: int = 0
    record_rules: int = RECORD_RULES
    data_end: int = 0

    def grammar(self, max_record_bytes: int) -> Grammar:
        """Return how records of this dialect are told apart."""
        return Encoding(self.encoding).grammar(self.fields, max_record_bytes, self.record_rules)

    @property
    def delimiter(self) -> str:
        """What separates the fields."""
        return self.fields.delimiter

    @property
    def quote(self) -> str:
        """The character around fields, empty where there is none."""
        return self.fields.quote

    def other_rules(self) -> dict[str, str | int | bool]:
        """Return what is not as in most files, by the names of `PinnedDialect`."""
        usual = asdict(PinnedDialect(delimiter="", encoding=""))
        found = asdict(self.pinned())
        return {key: found[key] for key in _OTHER_RULES if found[key] != usual[key]}

    def pinned(self) -> PinnedDialect:
        """Return what is kept of it with a batch: all but the columns, which may be many."""
        return PinnedDialect(
            delimiter=self.delimiter,
            encoding=self.encoding,
            quote=self.quote,
            escape=self.fields.escape,
            newline=self.newline,
            header_start=self.header_start,
            data_start=self.data_start,
            data_line=self.data_line,
            record_rules=self.record_rules,
            data_end=self.data_end,
        )


def find_dialect(window: Window, options: CsvOptions) -> Dialect:
    """Decide the dialect of a file. Reads all of it where the encoding is not said.

    Raises:
        InvalidCsv: the file is empty, no text, has a header that cannot be used, or can be read in two ways.
    """
    sample = window.read_at(0, SAMPLE_BYTES)
    encoding = encoding_of(sample, options.encoding, lambda: _guessed_by_all(window))
    start, line, delimiter = encoding.mark_bytes, 1, _set_delimiter(options)
    declared = declared_delimiter(sample, encoding)
    if declared:
        start, line, delimiter = declared.header_start, 2, declared.delimiter
    sheet = Sheet(window, encoding, start, line, options.max_record_bytes, _fields_but_delimiter(options))
    dialect, names = _read_header(sheet, delimiter or find_delimiter(sheet))
    check_number(names, options.max_columns)
    check_required(names, options.required_columns)
    return dialect


def dialect_of_header(window: Window, options: CsvOptions) -> Dialect:
    """Decide the dialect from the first 64 KiB and the header alone, as it was done before dialects were pinned.

    Its records are told apart by rules 1. So a batch that was claimed then ends as it began, and a manifest that was
    written then can be held against its source.

    Raises:
        InvalidCsv: as `find_dialect`.
    """
    sample = window.read_at(0, SAMPLE_BYTES)
    whole = window.size_bytes <= SAMPLE_BYTES
    encoding = encoding_of(sample, options.encoding, lambda: guessed_by_sample(sample, whole=whole))
    sheet = Sheet(window, encoding, encoding.mark_bytes, 1, options.max_record_bytes, record_rules=1)
    dialect, names = _read_header(sheet, _set_delimiter(options) or most_frequent(sheet)[0])
    check_required(names, options.required_columns)
    return dialect


def pinned_dialect(window: Window, pinned: PinnedDialect, max_record_bytes: int) -> Dialect:
    """Return the dialect of a claimed file. Reads its header and no more.

    Raises:
        InvalidCsv: there is no such header.
    """
    fields = _fields_of(pinned)
    grammar = Encoding(pinned.encoding).grammar(fields, max_record_bytes, pinned.record_rules)
    walk = Borders(window, grammar, pinned.header_start)
    walk.expect(pinned.data_start - pinned.header_start)
    return Dialect(
        fields=fields,
        encoding=pinned.encoding,
        newline=pinned.newline,
        columns=columns(_names(walk, pinned.encoding, fields)),
        data_start=pinned.data_start,
        data_line=pinned.data_line,
        header_start=pinned.header_start,
        record_rules=pinned.record_rules,
        data_end=pinned.data_end,
    )


def listed_dialect(window: Window, listed: PinnedDialect, max_record_bytes: int) -> Dialect:
    """Return the dialect of a file by what its manifest lists, but for what its header says, which is found again.

    Raises:
        InvalidCsv: there is no such header.
    """
    encoding = Encoding(listed.encoding)
    sheet = Sheet(window, encoding, listed.header_start, 1, max_record_bytes, _fields_of(listed), listed.record_rules)
    return _read_header(sheet, listed.delimiter)[0]


def _fields_of(pinned: PinnedDialect) -> FieldFormat:
    return FieldFormat(delimiters=(pinned.delimiter,), quote=pinned.quote, escape=pinned.escape)


def _set_delimiter(options: CsvOptions) -> str | None:
    setting = options.delimiter
    return None if setting == "auto" else _SETTING_NAMES.get(setting, setting)


def _fields_but_delimiter(options: CsvOptions) -> FieldFormat:
    quote = DEFAULT_QUOTE if options.quote == "auto" else options.quote
    return FieldFormat(delimiters=DELIMITERS, quote=quote, escape=options.escape)


def _guessed_by_all(window: Window) -> str:
    scan = Utf8Scan()
    for offset in range(0, window.size_bytes, _SCAN_BLOCK_BYTES):
        scan.feed(window.read_at(offset, _SCAN_BLOCK_BYTES))
    return scan.encoding()


def _read_header(sheet: Sheet, delimiter: str) -> tuple[Dialect, list[str]]:
    """Return the dialect of a file of known encoding and delimiter, and the names as they stand in its header."""
    walk = sheet.walk(delimiter)
    names = _names(walk, sheet.encoding.name, sheet.by(delimiter))
    header_end = walk.line_end
    walk.find_record()  # blank lines belong to the record before them
    dialect = Dialect(
        fields=sheet.by(delimiter),
        encoding=sheet.encoding.name,
        data_start=walk.offset,
        data_line=walk.line,
        newline=_newline(walk, header_end),
        columns=columns(names),
        header_start=sheet.start,
        record_rules=sheet.record_rules,
    )
    return dialect, names


def _names(walk: Borders, encoding: str, fields: FieldFormat) -> list[str]:
    if not walk.find_record():
        raise InvalidCsv("the file is empty: there is not even a header")
    walk.pass_record()
    if walk.fault in {"bad_quote", "unclosed_quote"}:
        raise InvalidCsv("the header has a quote that is not closed; close it, or double it where it is text")
    if walk.fault == "record_too_large":
        raise InvalidCsv(
            "the header is longer than BATCH_MAX_RECORD_BYTES; shorten it, or raise that if this is a CSV file"
        )
    try:
        return FieldSplitter(fields).split(decoded(walk.content, encoding))
    except BadRecord as bad:
        raise InvalidCsv(f"the header cannot be read: {bad.detail}") from None


def _newline(walk: Borders, header_end: bytes) -> str:
    seen = {header_end}
    for _ in range(SAMPLE_RECORDS):
        if not walk.find_record():
            break
        walk.pass_record()
        seen.add(walk.line_end)
    seen.discard(b"")
    return seen.pop().decode() if len(seen) == 1 else ("mixed" if seen else "\n")
