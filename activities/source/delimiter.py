"""Which character separates the fields of a file: the one its first line names, or the one its records bear out.

The header line alone is a poor judge: `Datum;Netto, EUR;Steuer, EUR` has as many commas as semicolons. So the first
records are read by each delimiter that the header has, and scored: how many are as wide as the header, and how many of
their cells look like one value. Where header and records disagree, and nothing proves either, the file is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

from activities.source.encoding import Encoding
from activities.source.field_format import FieldFormat, can_separate
from activities.source.grammar import RECORD_RULES, Grammar, field_pattern, separators_pattern
from activities.source.parser import BadRecord, FieldSplitter
from activities.source.scanner import Borders, Window
from workflows.errors import InvalidCsv, shortened
from workflows.ids import printable

DELIMITERS = (",", ";", "\t", "|")
"""What `auto` chooses from; the earlier one where nothing tells them apart."""

_USUAL_FIELDS = FieldFormat(delimiters=DELIMITERS)

SAMPLE_RECORDS = 100
"""Records that are looked at, fewer where they are long."""

_SAMPLE_BYTES = 262_144
_DECLARED_BYTES = 64
_DECLARED = re.compile(rb'"?sep=([^\r\n"]{1,4})"?(?:\r\n|[\r\n]|\Z)', re.IGNORECASE)
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

_NUMBER = rb"\d++(?:(?:[.' ]|\xc2?\xa0|\xe2\x80\xaf)\d{3})*+(?:,\d++)?|\d{1,3}(?:,\d{3})++(?:\.\d++)?"
_UNIT = rb"[^\d,;\t|]{0,6}"
_PROSE = rb"[^,;\t|]*(?:(?<=[^\s,;|])[,;](?=\s[^\s])[^,;\t|]*|(?<=\s)\|(?=\s)[^,;\t|]*)*"
_ONE_VALUE = re.compile(b"(?:" + _UNIT + b"(?:" + _NUMBER + b")" + _UNIT + b"|" + _PROSE + b")", re.ASCII)
"""A cell that looks like one value: a number, or text in which no delimiter stands but as punctuation."""

_NAMES_SHOWN = 3
_SURE = 0.9
_CLEAN = 0.8
_FEW = 0.1
_LESS = 0.7
_MUCH_LESS = 0.5


@dataclass(frozen=True, slots=True)
class Declared:
    """What a first line like `sep=;` says, and the byte offset behind it."""

    delimiter: str
    header_start: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """The part of a file from its header on, which starts at byte `start`, physical line `line`.

    `fields` is how its fields are written, but for what separates them.
    """

    window: Window
    encoding: Encoding
    start: int
    line: int
    max_record_bytes: int
    fields: FieldFormat = _USUAL_FIELDS
    record_rules: int = RECORD_RULES

    def by(self, *delimiters: str) -> FieldFormat:
        """Return how its fields are written where any of `delimiters` separates them."""
        return replace(self.fields, delimiters=delimiters)

    def grammar(self, *delimiters: str) -> Grammar:
        """Return how its records are told apart by them."""
        return self.encoding.grammar(self.by(*delimiters), self.max_record_bytes, self.record_rules)

    def walk(self, *delimiters: str) -> Borders:
        """Return a walk over the records, the header first, any of `delimiters` being one."""
        return Borders(self.window, self.grammar(*delimiters), self.start, line=self.line)

    def cells(self, walk: Borders, delimiter: str) -> list[bytes]:
        """Return the fields of the record that `walk` has passed, quotes and all, a byte for each unit."""
        units = self.grammar(delimiter).reduced(walk.content)
        cells: list[bytes] = []
        for found in field_pattern(self.by(delimiter)).finditer(units):
            cells.append(found[1])
            if not found[2]:
                break
        return cells


@dataclass(frozen=True, slots=True)
class _Reading:
    """The first records by one delimiter: `fit` is the share as wide as the header, `clean` that of tidy cells."""

    delimiter: str
    names: tuple[bytes, ...]
    records: int
    fit: float
    clean: float

    @property
    def score(self) -> float:
        return self.fit * self.clean * (1 - 1 / max(1, len(self.names)))


def declared_delimiter(sample: bytes, encoding: Encoding) -> Declared | None:
    """Return what the first line of a file names as its separator; None where it is an ordinary line.

    Raises:
        InvalidCsv: it names one that is not read.
    """
    first = sample[encoding.mark_bytes :][: _DECLARED_BYTES * encoding.unit_bytes]
    found = _DECLARED.match(encoding.grammar(_USUAL_FIELDS, 1).reduced(first))
    if found is None:
        return None
    named = first[found.start(1) * encoding.unit_bytes : found.end(1) * encoding.unit_bytes]
    delimiter = named.decode(encoding.name, "replace")
    if len(delimiter) > 1:
        return None
    if not can_separate(delimiter):
        raise InvalidCsv(
            f"its first line names the separator {printable(delimiter)}; name one there that is no letter or digit, "
            "and drop it again"
        )
    return Declared(delimiter, encoding.mark_bytes + found.end() * encoding.unit_bytes)


def most_frequent(sheet: Sheet) -> list[str]:
    """Return the delimiters that the header has most of outside quotes: several at a tie, all where it has none.

    Raises:
        InvalidCsv: there is no header.
    """
    walk = sheet.walk(*DELIMITERS)
    if not walk.find_record():
        raise InvalidCsv("the file is empty: there is not even a header")
    walk.pass_record()
    header = b"" if walk.fault else sheet.grammar(*DELIMITERS).reduced(walk.content)
    counts = Counter(each.decode() for each in separators_pattern(sheet.by(*DELIMITERS)).findall(header))
    return [one for one in DELIMITERS if counts[one] == max(counts[other] for other in DELIMITERS)]


class FoundDelimiter(NamedTuple):
    """A delimiter, and in words by what it was found."""

    delimiter: str
    evidence: str


def find_delimiter(sheet: Sheet) -> FoundDelimiter:
    """Find the delimiter of a file.

    Raises:
        InvalidCsv: the header speaks for one, the records for another, and neither is proved; or there is no header.
    """
    favourites = most_frequent(sheet)
    readings = [found for each in DELIMITERS if (found := _read(sheet, each)) is not None]
    fitting = sorted((each for each in readings if each.score), key=lambda each: -each.score)
    if not fitting:
        return FoundDelimiter(favourites[0], "header alone")
    best, others = fitting[0], [each for each in readings if each is not fitting[0]]
    rivals = [each for each in others if each.delimiter in favourites and not _proved(best, each)]
    if rivals:
        raise _undecided(sheet, max(rivals, key=lambda each: each.score), best)
    fit = round(best.fit * best.records)
    return FoundDelimiter(best.delimiter, f"{fit} of the first {best.records} records are as wide as the header")


def _read(sheet: Sheet, delimiter: str) -> _Reading | None:
    """Read the first records by one delimiter; None where the header has it nowhere, or cannot be read by it."""
    walk = sheet.walk(delimiter)
    if not _passed(walk):
        return None
    names = sheet.cells(walk, delimiter)
    quote = sheet.fields.quote.encode()
    if len(names) == 1 or not all(_sound(each, quote) for each in names):
        return None
    cells, tidy = len(names), sum(_tidy(each, quote) for each in names)
    records = fit = 0
    while records < SAMPLE_RECORDS and walk.offset - sheet.start < _SAMPLE_BYTES and walk.find_record():
        walk.pass_record()
        records += 1
        values = [] if walk.fault else sheet.cells(walk, delimiter)
        if len(values) == len(names) and all(_sound(each, quote) for each in values):
            fit += 1
            cells, tidy = cells + len(values), tidy + sum(_tidy(each, quote) for each in values)
    return _Reading(delimiter, tuple(names), records, fit / max(1, records), tidy / cells)


def _passed(walk: Borders) -> bool:
    if not walk.find_record():
        return False
    walk.pass_record()
    return not walk.fault


def _sound(cell: bytes, quote: bytes) -> bool:
    """Return whether a cell that begins with a quote ends with its closing one."""
    return not quote or not cell.startswith(quote) or cell.endswith(quote)


def _tidy(cell: bytes, quote: bytes) -> bool:
    if quote and cell.startswith(quote):
        return True
    return (not quote or cell.count(quote) % 2 == 0) and _ONE_VALUE.fullmatch(cell) is not None


def _proved(best: _Reading, other: _Reading) -> bool:
    """Return whether the records prove one reading over another that the header speaks for."""
    if best.fit < _SURE:
        return False
    if best.delimiter == "\t" and best.clean > _MUCH_LESS:
        return True  # hardly a cell has a tab in it
    less = other.fit * other.clean / (best.fit * best.clean)
    return (best.clean >= _CLEAN and (other.fit < _FEW or less < _LESS)) or less < _MUCH_LESS


def _undecided(sheet: Sheet, one: _Reading, other: _Reading) -> InvalidCsv:
    return InvalidCsv(
        f"it can be read in two ways: by {_reading_as_text(sheet, one)}, or by {_reading_as_text(sheet, other)}; "
        "set BATCH_DELIMITER (delimiter of its feed), or name the separator in a first line such as sep=, and drop it "
        "again"
    )


def _reading_as_text(sheet: Sheet, reading: _Reading) -> str:
    walk = sheet.walk(reading.delimiter)
    walk.find_record()
    walk.pass_record()
    text = walk.content.decode(sheet.encoding.name, "replace")
    try:
        names = FieldSplitter(sheet.by(reading.delimiter)).split(text)
    except BadRecord:
        names = []
    first = " / ".join(shortened(printable(each.strip()), 24) for each in names[:_NAMES_SHOWN])
    more = " / …" if len(names) > _NAMES_SHOWN else ""
    return f"{_NAMES[reading.delimiter]} into {len(reading.names)} columns ({first}{more})"
