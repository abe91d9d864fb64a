"""One record's bytes to its values, or to the reason why it is not a valid row.

Nothing is guessed: a record that is not exactly right is rejected. Reasons are stable codes; a detail counts and names
places, it never holds what a cell says.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from typing import Literal, NamedTuple

from activities.source.bare_quotes import count_bare_quotes
from activities.source.field_format import FieldFormat
from activities.source.grammar import escaped_pattern, value_pattern
from activities.source.rows_at_once import leading_lines_chars, rows_at_once

Reason = Literal[
    "ragged", "record_too_large", "field_too_large", "undecodable", "nul_byte", "unclosed_quote", "bad_quote", "schema"
]
"""Why a record was rejected. `bad_quote`: text between a closing quote and the next delimiter."""

MAX_FIELD_CHARS = 67_108_864
"""Python's own limit on a field is set to this, the largest cap on a record there can be; ours applies first."""

_BYTES_PER_CHAR = 4
_BEHIND_QUOTE = "text between a closing quote and the next delimiter"


class Record(NamedTuple):
    """A valid row. `number` counts records from 1; `line` is the physical line it starts on, the header's being 1.

    A tuple, as one is made for each row of a file.
    """

    number: int
    line: int
    values: list[str]


_new_record = partial(tuple.__new__, Record)
"""Makes a record of its fields in one call that runs no Python."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not a valid row. `detail` is under 200 characters.

    Of one that a schema refuses, `column` is the first that breaks it, and `rule` what it breaks; else both are empty.
    """

    number: int
    line: int
    reason: Reason
    detail: str
    column: str = ""
    rule: str = ""

    def fields(self) -> dict[str, str | int]:
        """Return what stands of it in the file of rejected records."""
        broken = {"column": self.column, "rule": self.rule} if self.rule else {}
        return {"_row": self.number, "line": self.line, "reason": self.reason, **broken, "detail": self.detail}


class BadRecord(Exception):
    """A record is not a valid row; never leaves the record reader."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


class FieldSplitter:
    """Splits the text of one whole record, without its line end, into its field values.

    `bare_quotes` is how many quotes in unquoted fields it took for text, in all records that it split.
    """

    def __init__(self, fields: FieldFormat) -> None:
        csv.field_size_limit(MAX_FIELD_CHARS)
        self.bare_quotes = 0
        self._fields = fields
        self._delimiter = fields.delimiter
        self._blanks = fields.blanks
        self._field = value_pattern(fields)
        self._escaped = escaped_pattern(fields) if fields.escape else None
        self._texts: deque[str] = deque()
        self._parser = _csv_reader(iter(self._texts.popleft, None), fields)

    def split(self, text: str) -> list[str]:
        """Return the field values of `text`.

        Raises:
            BadRecord: there is text between a closing quote and the next delimiter, or a quote inside a bare field.
        """
        if not _has_any(text, self._fields.quote + self._fields.escape):
            values = text.split(self._delimiter)
            return [each.strip(self._blanks) for each in values] if self._blanks else values
        if self._parser is None:
            return self._split_by_pattern(text)
        self._texts.append(text)
        try:
            values = next(self._parser)
        except (csv.Error, IndexError):  # of a text that ends in quotes, a second line is asked for
            raise BadRecord("bad_quote", _BEHIND_QUOTE) from None
        self.bare_quotes += count_bare_quotes(text, (values,), self._delimiter, self._fields.quote)
        return values

    def _split_by_pattern(self, text: str) -> list[str]:
        pattern, at, values, bare_quotes = self._field, 0, list[str](), 0
        while True:
            found = pattern.match(text, at)
            if found is None or (found["behind"] or "").strip(self._blanks):
                raise BadRecord("bad_quote", _BEHIND_QUOTE)
            values.append(self._value(found))
            bare_quotes += self._bare_quotes(found["bare"])
            if not found["delimiter"]:
                self.bare_quotes += bare_quotes
                return values
            at = found.end()

    def _value(self, found: re.Match[str]) -> str:
        fields, value = self._fields, found["quoted"]
        if value is None:
            value = found["bare"].strip(self._blanks) if self._blanks else found["bare"]
        elif self._escaped is None:
            return value.replace(2 * fields.quote, fields.quote)
        if self._escaped is None or fields.escape not in value:
            return value
        return self._escaped.sub(r"\1", value)

    def _bare_quotes(self, bare: str | None) -> int:
        """Return how many quotes a field without quotes around it has; those behind an escape character are none.

        Raises:
            BadRecord: there are some, and they are to be rejected.
        """
        quote = self._fields.quote
        if not bare or not quote or quote not in bare:
            return 0
        found = (self._escaped.sub("", bare) if self._escaped else bare).count(quote)
        if found and self._fields.bare_quotes == "reject":
            raise BadRecord("bad_quote", "a quote inside a field that has none around it")
        return found


class ReadLines(NamedTuple):
    """Records that were read at once, and how much of the file they are."""

    rows: list[Record | Rejected]
    lines: int
    size_bytes: int


class RecordReader:
    """Turns the bytes of records into rows of one width.

    With `no_bare_quotes` it is known that they have none, so they are not looked for where that costs time.
    """

    def __init__(
        self, *, encoding: str, fields: FieldFormat, width: int, max_field_bytes: int, no_bare_quotes: bool = False
    ) -> None:
        self._encoding = encoding
        self._is_plain = fields.is_plain
        self._delimiter = fields.delimiter
        self._fields = FieldSplitter(fields)
        self._columns = width
        self._width = width + fields.trailing_delimiter
        self._pads = fields.short_rows == "pad"
        self._drops_last = fields.trailing_delimiter
        self.max_field_bytes = max_field_bytes
        self._several_lines = False
        self._no_bare_quotes = no_bare_quotes
        self._bare_quotes_at_once = 0

    @property
    def bare_quotes(self) -> int:
        """How many quotes in unquoted fields were taken for text so far, in rows and in rejected records."""
        return self._fields.bare_quotes + self._bare_quotes_at_once

    def read(self, content: bytes, *, number: int, line: int) -> Record | Rejected:
        """Return the row that `content` holds, or why it holds none."""
        try:
            values = self._fields.split(decoded(content, self._encoding))
            if len(content) > self.max_field_bytes:
                self._check_sizes(values)
        except BadRecord as bad:
            return Rejected(number, line, bad.reason, bad.detail)
        return self._row(values, number, line)

    def read_lines(self, content: bytes, *, number: int, line: int, most: int) -> ReadLines | None:
        """Read up to `most` sound records from the beginning of `content`, whole lines; None where it begins with none.

        The same rows as one by one, where all of `content` is no longer than a record or a field may be. There are none
        for this where fields are not written as most are.
        """
        if not self._is_plain:
            return None
        try:
            text = decoded(content, self._encoding)
        except BadRecord:
            return None
        if '"' in text:
            return self._quoted(content, text, number, line, most)
        lines = _lines(text)
        if "" in lines or len(lines) > most:
            return None
        rows = self._rows([each.split(self._delimiter) for each in lines], number, count(line))
        return ReadLines(rows, len(lines), len(content))

    def _quoted(self, content: bytes, text: str, number: int, line: int, most: int) -> ReadLines | None:
        found = rows_at_once(text, self._delimiter, most, several_lines=self._several_lines)
        self._several_lines = found.lines > len(found.rows)
        size_bytes = len(content) if found.is_all else self._leading_bytes(content, text, found.lines)
        if not found.rows or size_bytes is None:
            return None
        if not self._no_bare_quotes:
            taken = text if found.is_all else text[: leading_lines_chars(text, found.lines)]
            self._bare_quotes_at_once += count_bare_quotes(taken, found.rows, self._delimiter)
        starts = count(line) if found.ends is None else chain((line,), (line + each for each in found.ends))
        return ReadLines(self._rows(found.rows, number, starts), found.lines, size_bytes)

    def _leading_bytes(self, content: bytes, text: str, lines: int) -> int | None:
        """Return how many bytes the first lines of `content` have; None where that cannot be said."""
        chars = leading_lines_chars(text, lines)
        if len(text) == len(content):
            return chars
        leading = text[:chars].encode(self._encoding)
        return len(leading) if content.startswith(leading) else None

    def _rows(self, split: list[list[str]], number: int, lines: Iterable[int]) -> list[Record | Rejected]:
        if set(map(len, split)) == {self._width}:
            return list(map(_new_record, zip(count(number), lines, split, strict=False)))
        return [
            self._row(values, number + at, line) for at, (values, line) in enumerate(zip(split, lines, strict=False))
        ]

    def _row(self, values: list[str], number: int, line: int) -> Record | Rejected:
        if len(values) == self._width and not self._drops_last:
            return Record(number, line, values)
        if len(values) == self._width and not values[-1]:
            return Record(number, line, values[:-1])
        if self._pads and len(values) < self._width:
            return Record(number, line, values + [""] * (self._columns - len(values)))
        plural = "" if len(values) == 1 else "s"
        last = ", of which the last is empty" if self._drops_last else ""
        return Rejected(number, line, "ragged", f"{len(values)} field{plural}, the header has {self._width}{last}")

    def _check_sizes(self, values: list[str]) -> None:
        for position, value in enumerate(values, start=1):
            if len(value) * _BYTES_PER_CHAR > self.max_field_bytes:
                size_bytes = len(value.encode(self._encoding))
                if size_bytes > self.max_field_bytes:
                    raise BadRecord(
                        "field_too_large",
                        f"field {position} has {size_bytes} bytes, the limit is {self.max_field_bytes}",
                    )


def decoded(content: bytes, encoding: str) -> str:
    """Return the text of `content`.

    Raises:
        BadRecord: the bytes are not valid in `encoding`, or hold a NUL character.
    """
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        where = f" at byte {error.start + 1} of the record" if isinstance(error, UnicodeDecodeError) else ""
        raise BadRecord("undecodable", f"not valid {encoding}{where}") from None
    if "\0" in text:
        raise BadRecord("nul_byte", f"a NUL character at character {text.index(chr(0)) + 1} of the record")
    return text


def _lines(text: str) -> list[str]:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


def _has_any(text: str, marks: str) -> bool:
    return any(each in text for each in marks)


def _csv_reader(texts: Iterator[str], fields: FieldFormat) -> Iterator[list[str]] | None:
    """Return Python's own reader where it reads such fields, which is much faster."""
    if fields.escape or fields.trim or fields.bare_quotes == "reject" or not fields.quote or len(fields.delimiter) > 1:
        return None
    return csv.reader(texts, delimiter=fields.delimiter, quotechar=fields.quote, strict=True)
