"""The schema of one batch over its columns: which rows it refuses, and what the others look like to the API.

It was pinned when the file was claimed: its text is `schema.json` in the output folder, and its hash travels with the
batch. A page that finds another text there, or none, is not begun before `prepare_batch` has put it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeAlias

from activities.disk.directory import Directory
from activities.output.names import SCHEMA
from activities.schema.row_checker import RowChecker, SchemaFault
from activities.schema.table_schema import TableSchema, parse_schema
from activities.source.source_file import Record, Rejected
from activities.uniqueness.duplicate_rows import duplicates_in, has_duplicates_file
from workflows.errors import TransientError, shortened
from workflows.ids import printable
from workflows.models import CsvOptions, Page

_SHOWN_NAME_CHARS = 80

KEY_RULES = frozenset({"unique", "primaryKey", "uniqueKeys"})
"""Rules that are of more than one row."""

Row: TypeAlias = Record | Rejected


class Unprepared(TransientError):
    """What `prepare_batch` left in the output folder is gone, or is not what it was."""


class BatchSchema:
    """A schema that was compiled for the columns of one source; safe to use from several threads.

    `names` has for each column the name that it has in a typed row.
    """

    def __init__(self, schema: TableSchema, columns: Sequence[str], csv: CsvOptions) -> None:
        """Compile it.

        Raises:
            InvalidCsv: columns that the schema requires are missing.
        """
        self._checker = RowChecker.compile(schema, columns, null=csv.null, decimal=csv.decimal)
        self._columns = frozenset(columns)
        self.names = self._checker.names
        self._numbers = {key.name: number for number, key in enumerate(self._checker.unique_keys)}

    @property
    def has_keys(self) -> bool:
        """Whether there is anything that only one row may have."""
        return bool(self._numbers)

    @staticmethod
    def of_text(text: str, columns: Sequence[str], csv: CsvOptions) -> BatchSchema:
        """Return the schema of canonical text; the same one for the same arguments, of the last few.

        Raises:
            InvalidSchema: it is none that can be used.
            InvalidCsv: columns that it requires are missing.
        """
        return _compiled(text, tuple(columns), csv.null, csv.decimal)

    @staticmethod
    def open(folder: Directory, columns: Sequence[str], csv: CsvOptions) -> BatchSchema | None:
        """Return the schema of a batch from its output folder; None where it has none.

        Raises:
            Unprepared: the text is not there, or is another one.
        """
        if not csv.schema_sha256:
            return None
        text = folder.read(SCHEMA) or b""
        if sha256(text).hexdigest() != csv.schema_sha256:
            raise Unprepared(f"{folder.path / SCHEMA} is gone, or is not what it was")
        return BatchSchema.of_text(text.decode(), columns, csv)

    def sorted_out(self, folder: Directory, page: Page, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the records of `page` of a first generation; those that the schema refuses are rejected.

        Raises:
            Unprepared: the schema has keys, and it is not known which rows repeat one.
        """
        repeats = self._duplicates(folder, page)
        for row in rows:
            yield self.judged(row, repeats.get(row.number)) if isinstance(row, Record) else row

    def judged(self, record: Record, repeated: int | None = None) -> Row:
        """Return a record, or why the schema refuses it; `repeated` is the number of a key that an earlier row has."""
        refusal = self.refusal(record)
        if refusal or repeated is None:
            return refusal or record
        return _rejected(record, self._checker.unique_keys[repeated].fault)

    def refusal(self, record: Record) -> Rejected | None:
        """Return why the schema refuses a record, whatever the others are; None where it fits."""
        fault = self._checker.fault(record.values)
        return _rejected(record, fault) if fault else None

    def has_rule(self, column: str, rule: str) -> bool:
        """Return whether a row may be rejected for this column and rule: the columns of a key stand together."""
        faults = [each.fault for each in self._checker.unique_keys]
        if SchemaFault(column, rule) in faults:
            return True
        return column in self._columns and rule not in KEY_RULES

    def key_values(self, record: Record) -> Iterator[tuple[int, bytes]]:
        """Yield the keys of a row without fault: number, and bytes that no other key has. One with a null is none."""
        for name, value in self._checker.keys(record.values):
            number = self._numbers[name]
            yield number, b"%d:%b" % (number, value)

    def typed(self, source: Mapping[str, str]) -> dict[str, Any]:
        """Return a row without fault as the API and its expressions see it."""
        return self._checker.typed(list(source.values()))

    def _duplicates(self, folder: Directory, page: Page) -> dict[int, int]:
        if not self.has_keys:
            return {}
        if not has_duplicates_file(folder):
            raise Unprepared(f"{folder.path}: which rows repeat a key of the schema is not known")
        return duplicates_in(folder, page.first_row, page.records)


@lru_cache(maxsize=64)
def _compiled(text: str, columns: tuple[str, ...], null: str | None, decimal: str) -> BatchSchema:
    return BatchSchema(parse_schema(text, decimal=decimal), columns, CsvOptions(null=null, decimal=decimal))


def _rejected(record: Record, fault: SchemaFault) -> Rejected:
    column = shortened(printable(fault.column), _SHOWN_NAME_CHARS)
    detail = f"the column {column} breaks the rule {fault.rule} of the schema"
    return Rejected(record.number, record.line, "schema", detail, fault.column, fault.rule)
