"""The rows of a result held to the schema that stands beside them: each fits it, and none repeats a key of another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from activities.batch_schema import KEY_RULES, BatchSchema
from activities.disk.directory import Directory
from activities.manifest.document import schema_files
from activities.output.page_journal import unchanged
from activities.source.source_file import Record, Rejected
from activities.uniqueness.key_spill import KeySpill
from daemon.results.verdict import Findings
from workflows.errors import BatchdError
from workflows.models import CsvOptions

SCHEMA = "schema"
REASON = "schema"


class SchemaVerification:
    """Checks the rows of one result, one after the other; where it has no schema, that none was rejected by one."""

    def __init__(self, schema: BatchSchema | None, columns: list[str], findings: Findings, fd: int = -1) -> None:
        self.schema = schema
        self._columns = columns
        self._findings = findings
        self._spill = KeySpill(fd) if schema and schema.has_keys else None
        self._rejected: _Numbers | None = None
        """With a source: the rows that were rejected because they repeat a key."""

    @classmethod
    @contextmanager
    def open(cls, folder: Directory, manifest: Mapping[str, Any], findings: Findings) -> Iterator[SchemaVerification]:
        """Read the schema that a manifest lists. Keys of many rows go into a temporary file until the block ends."""
        columns = list(manifest["dialect"]["columns"])
        schema = _read(folder, manifest, columns, findings)
        with tempfile.TemporaryFile() as file:
            yield cls(schema, columns, findings, file.fileno())

    def expect_source(self, records: int) -> None:
        """Look at rejected records too, of which the source has `records` with the rows."""
        self._rejected = _Numbers(records)

    def row(self, row: dict[str, Any]) -> None:
        """Check a row of a chunk.

        Raises:
            ValueError: the schema refuses it.
        """
        if self.schema is None:
            return
        record = Record(row["_row"], 0, [row[name] for name in self._columns])
        refusal = self.schema.refusal(record)
        if refusal:
            raise ValueError(f"row {row['_row']} breaks the rule {refusal.rule} of the schema in {refusal.column!a}")
        self._keep_keys(record)

    def rejected(self, row: dict[str, Any], record: Record | Rejected | None = None) -> None:
        """Check a rejected record; `record` is the same in the source, where there is one.

        Raises:
            ValueError: a schema is said to refuse it, and there is none, or it has no such rule or column.
        """
        if row["reason"] != REASON:
            return
        if self.schema is None:
            raise ValueError("a record rejected by a schema, and there is none")
        if not self.schema.has_rule(row["column"], row["rule"]):
            raise ValueError("a record rejected by a rule or for a column that the schema does not have")
        if self._rejected and row["rule"] in KEY_RULES and isinstance(record, Record):
            self._rejected.add(record.number)
            self._keep_keys(record)

    def check_keys(self, *, is_whole: bool) -> None:
        """Check that the rows that repeat a key of an earlier one are those that were rejected for it, and no others.

        Called once all have been seen. Without a source only that no row of the result repeats a key. Of a result that
        is not whole a row may repeat a key of one that is not there.
        """
        for number in self._spill.repeats() if self._spill else ():
            if self._rejected is None or not self._rejected.take(number):
                self._findings.problem(SCHEMA, f"row {number} repeats a key of the schema that an earlier row has")
        for number in self._rejected.left() if self._rejected and is_whole else ():
            self._findings.problem(SCHEMA, f"record {number} was rejected as one that repeats a key, and does not")

    def _keep_keys(self, record: Record) -> None:
        if self._spill and self.schema:
            for _, value in self.schema.key_values(record):
                self._spill.add(value, record.number)


class _Numbers:
    """Numbers of records, some of them taken: two bits for each record of a source."""

    _PER_BYTE = 4

    def __init__(self, most: int) -> None:
        self._bits = bytearray(most // self._PER_BYTE + 1)

    def add(self, number: int) -> None:
        at, shift = self._place(number)
        self._bits[at] |= 1 << shift

    def take(self, number: int) -> bool:
        """Return whether a number was added; it is not left from now on."""
        at, shift = self._place(number)
        if at >= len(self._bits) or not self._bits[at] >> shift & 1:
            return False
        self._bits[at] |= 2 << shift
        return True

    def left(self) -> Iterator[int]:
        """Yield the numbers that were added and never taken."""
        for at, byte in enumerate(self._bits):
            if byte:
                for step in range(self._PER_BYTE):
                    if byte >> 2 * step & 3 == 1:
                        yield at * self._PER_BYTE + step

    def _place(self, number: int) -> tuple[int, int]:
        at, step = divmod(number, self._PER_BYTE)
        return at, 2 * step


def _read(folder: Directory, manifest: Mapping[str, Any], columns: list[str], findings: Findings) -> BatchSchema | None:
    for each in schema_files(manifest):
        findings.checked(SCHEMA)
        if not unchanged(folder, each):
            return None  # which the check of files says
        listed = manifest["schema"]
        csv = CsvOptions(null=listed["null"], decimal=listed["decimal"])
        try:
            return BatchSchema.of_text((folder.read(each.file) or b"").decode(), columns, csv)
        except (BatchdError, UnicodeDecodeError) as error:
            findings.problem(SCHEMA, f"{each.file} cannot be used: {error}")
    return None
