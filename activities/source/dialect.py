"""How a file is written: encoding, delimiter, line ends, columns. Found once, when the file is claimed, and pinned.

From then on the header alone is read again. Finding looks at all bytes of the file for its encoding, and at its first
records for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from activities.source.delimiter import (
    DELIMITERS,
    SAMPLE_RECORDS,
    Declared,
    FoundDelimiter,
    Sheet,
    declared_delimiter,
    find_delimiter,
    most_frequent,
)
from activities.source.encoding import SAMPLE_BYTES, Encoding, encoding_of
from activities.source.extent import beginning, behind_lines, records_end
from activities.source.field_format import DEFAULT_QUOTE, FieldFormat
from activities.source.first_record import given_names, header_names
from activities.source.grammar import RECORD_RULES, Grammar
from activities.source.header import check_number, check_required, columns
from activities.source.regularities import regular_fields
from activities.source.scanner import Borders, Window
from activities.source.utf8_scan import Utf8Scan, guessed_by_sample
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions, PinnedDialect

_SCAN_BLOCK_BYTES = 1_048_576
_MARKS = ("quote", "escape", "comment", "trim", "bare_quotes", "short_rows", "trailing_delimiter")
_OTHER_RULES = (*_MARKS[1:], "header_start", "data_end", "has_header")
_SETTING_NAMES = {"tab": "\t"}


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How one file is written.

    `newline` is the line end of the first records: `\n`, `\r\n`, `\r` or `mixed`. `data_start` is the byte offset
    behind the header and its blank lines, which is the start of physical line `data_line`: of the first record, or
    the end of a file that has none. `header_start` is the byte offset behind what may stand before the header: byte
    order marks and a line that names the separator. `record_rules` says by which rules its records are told apart. The
    records end at byte `data_end`, where a footer begins; 0 is the end of the file. Where it has no header, the first
    record is one of data and stands at `data_start`. `decided_by` has the evidence for `encoding`, `delimiter` and
    `header`, in words.
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
    has_header: bool = True
    decided_by: Mapping[str, str] = field(default_factory=dict, compare=False)

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
            encoding=self.encoding,
            delimiter=self.delimiter,
            **{name: getattr(self.fields, name) for name in _MARKS},
            newline=self.newline,
            header_start=self.header_start,
            data_start=self.data_start,
            data_line=self.data_line,
            record_rules=self.record_rules,
            data_end=self.data_end,
            has_header=self.has_header,
            decided_by=dict(self.decided_by),
        )


def find_dialect(window: Window, options: CsvOptions, encoding: Encoding | None = None) -> Dialect:
    """Decide the dialect of a file. Reads all of it where the encoding is neither set nor given as decided already.

    Raises:
        InvalidCsv: the file is empty, no text, has a header that cannot be used, or can be read in two ways.
    """
    sample = window.read_at(0, SAMPLE_BYTES)
    encoding = encoding or encoding_of(sample, options.encoding, lambda: _guessed_by_all(window))
    declared = declared_delimiter(sample, encoding)
    start, line = behind_lines(window, encoding, max(options.skip_lines, 1 if declared else 0))
    if options.skip_lines and start >= window.size_bytes:
        raise InvalidCsv(
            f"nothing stands behind the {options.skip_lines:,} lines that skip_lines passes over; lower it"
        )
    end = records_end(window, encoding, options.footer, start)
    fields = _fields_but_delimiter(options)
    if declared and declared.delimiter in {fields.quote, fields.escape, fields.comment[:1]}:
        raise InvalidCsv(
            f"its first line names the separator {declared.delimiter}, which its feed uses otherwise; correct either"
        )
    sheet = Sheet(beginning(window, end), encoding, start, line, options.max_record_bytes, fields)
    delimiter, delimiter_by = _decided_delimiter(declared, options, sheet)
    if options.has_header:
        sheet = replace(sheet, fields=regular_fields(sheet, delimiter))
    dialect, names = _read_first(sheet, delimiter, options)
    check_number(names, options.max_columns)
    check_required(names, options.required_columns)
    decided_by = {
        "encoding": encoding.decided_by,
        "delimiter": delimiter_by,
        "header": "first record" if options.has_header else "setting",
    }
    return replace(dialect, data_end=end, decided_by=decided_by)


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


def pinned_dialect(window: Window, pinned: PinnedDialect, options: CsvOptions) -> Dialect:
    """Return the dialect of a claimed file. Reads its header, or the first record of one without, and no more.

    Raises:
        InvalidCsv: there is no such header.
    """
    fields = _fields_of(pinned)
    grammar = Encoding(pinned.encoding).grammar(fields, options.max_record_bytes, pinned.record_rules)
    walk = Borders(beginning(window, pinned.data_end), grammar, pinned.header_start)
    walk.expect(pinned.data_start - pinned.header_start)
    names: Sequence[str]
    if pinned.has_header:
        names = header_names(walk, pinned.encoding, fields)
    else:
        names = given_names(walk, pinned.encoding, fields, options)
    return Dialect(
        fields=fields,
        encoding=pinned.encoding,
        newline=pinned.newline,
        columns=columns(names),
        data_start=pinned.data_start,
        data_line=pinned.data_line,
        header_start=pinned.header_start,
        record_rules=pinned.record_rules,
        data_end=pinned.data_end,
        has_header=pinned.has_header,
        decided_by=pinned.decided_by,
    )


def listed_dialect(window: Window, listed: PinnedDialect, options: CsvOptions) -> Dialect:
    """Return the dialect of a file by what its manifest lists, but for what the file says, which is found again.

    That is where its records begin and end, and the names in its header.

    Raises:
        InvalidCsv: there is no such header.
    """
    encoding = Encoding(listed.encoding)
    end = records_end(window, encoding, options.footer, listed.header_start)
    sheet = Sheet(
        beginning(window, end),
        encoding,
        listed.header_start,
        1,
        options.max_record_bytes,
        _fields_of(listed),
        listed.record_rules,
    )
    options = replace(options, has_header=listed.has_header)
    return replace(_read_first(sheet, listed.delimiter, options)[0], data_end=end)


def _fields_of(pinned: PinnedDialect) -> FieldFormat:
    return FieldFormat(delimiters=(pinned.delimiter,), **{name: getattr(pinned, name) for name in _MARKS})


def _fields_but_delimiter(options: CsvOptions) -> FieldFormat:
    return FieldFormat(
        delimiters=DELIMITERS,
        quote=DEFAULT_QUOTE if options.quote == "auto" else options.quote,
        escape=options.escape,
        comment=options.comment,
        trim=options.trim,
        bare_quotes=options.bare_quotes,
        short_rows=options.short_rows,
    )


def _decided_delimiter(declared: Declared | None, options: CsvOptions, sheet: Sheet) -> FoundDelimiter:
    if declared:
        return FoundDelimiter(declared.delimiter, "first line")
    setting = _set_delimiter(options)
    return FoundDelimiter(setting, "setting") if setting else find_delimiter(sheet)


def _set_delimiter(options: CsvOptions) -> str | None:
    setting = options.delimiter
    return None if setting == "auto" else _SETTING_NAMES.get(setting, setting)


def _guessed_by_all(window: Window) -> Encoding:
    scan = Utf8Scan()
    for offset in range(0, window.size_bytes, _SCAN_BLOCK_BYTES):
        scan.feed(window.read_at(offset, _SCAN_BLOCK_BYTES))
    return scan.found()


def _read_first(sheet: Sheet, delimiter: str, options: CsvOptions) -> tuple[Dialect, Sequence[str]]:
    """Return the dialect of a file of known encoding and delimiter, and the names of its columns as they are given."""
    if options.has_header:
        return _read_header(sheet, delimiter)
    names = given_names(sheet.walk(delimiter), sheet.encoding.name, sheet.by(delimiter), options)
    walk = sheet.walk(delimiter)
    walk.find_record()
    found = _dialect(sheet, delimiter, walk, names)
    return replace(found, newline=_newline(walk, b""), has_header=False), names


def _read_header(sheet: Sheet, delimiter: str) -> tuple[Dialect, list[str]]:
    walk = sheet.walk(delimiter)
    fields = sheet.by(delimiter)
    names = header_names(walk, sheet.encoding.name, fields)
    header_end = walk.line_end
    walk.find_record()  # blank lines belong to the record before them
    found = _dialect(sheet, delimiter, walk, names)
    return replace(found, newline=_newline(walk, header_end)), names


def _dialect(sheet: Sheet, delimiter: str, walk: Borders, names: Sequence[str]) -> Dialect:
    """Return the dialect of a file whose first record of data `walk` has found."""
    return Dialect(
        fields=sheet.by(delimiter),
        encoding=sheet.encoding.name,
        newline="",
        columns=columns(names),
        data_start=walk.offset,
        data_line=walk.line,
        header_start=sheet.start,
        record_rules=sheet.record_rules,
    )


def _newline(walk: Borders, header_end: bytes) -> str:
    seen = {header_end}
    for _ in range(SAMPLE_RECORDS):
        if not walk.find_record():
            break
        walk.pass_record()
        seen.add(walk.line_end)
    seen.discard(b"")
    return seen.pop().decode() if len(seen) == 1 else ("mixed" if seen else "\n")
