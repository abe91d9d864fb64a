"""The rows of a result held to the schema that stands beside them: each fits it, and none repeats a key of another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from activities.batch_schema import BatchSchema
from activities.disk.directory import Directory
from activities.manifest.document import schema_files
from activities.output.page_journal import unchanged
from activities.source.source_file import Record
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

    @classmethod
    @contextmanager
    def open(cls, folder: Directory, manifest: Mapping[str, Any], findings: Findings) -> Iterator[SchemaVerification]:
        """Read the schema that a manifest lists. Keys of many rows go into a temporary file until the block ends."""
        columns = list(manifest["dialect"]["columns"])
        schema = _read(folder, manifest, columns, findings)
        with tempfile.TemporaryFile() as file:
            yield cls(schema, columns, findings, file.fileno())

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
        if self._spill:
            for _, value in self.schema.key_values(record):
                self._spill.add(value, row["_row"])

    def rejected(self, row: dict[str, Any]) -> None:
        """Check a rejected record.

        Raises:
            ValueError: a schema is said to refuse it, and there is none, or it has no such rule or column.
        """
        if row["reason"] != REASON:
            return
        if self.schema is None:
            raise ValueError("a record rejected by a schema, and there is none")
        if not self.schema.has_rule(row["column"], row["rule"]):
            raise ValueError("a record rejected by a rule or for a column that the schema does not have")

    def check_keys(self) -> None:
        """Check that no row repeats a key of an earlier one; called once all have been seen."""
        for number in sorted(self._spill.repeats()) if self._spill else ():
            self._findings.problem(SCHEMA, f"row {number} repeats a key of the schema that an earlier row has")


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
