"""The files of one page held against what the manifest lists of it, read once and line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Protocol

from orjson import dumps

from activities.disk.directory import Directory
from activities.disk.hashing import HashedBlocks
from activities.exact_json import loads
from activities.output.chunk_format import FALLBACK, elements_of, fallback_fields
from activities.output.page_journal import FileFacts, SavedPage
from activities.source.source_file import Record, Rejected
from daemon.results.schema_checks import SchemaVerification
from daemon.results.verdict import Findings
from workflows.models import NOT_FOUND, RESERVED, Tolerated

FILES, CONTENT, ROWS = "files", "content", "rows"


class SourcePage(Protocol):
    """The same page in the source. Each method returns what differs, or None."""

    def row(self, row: dict[str, Any]) -> str | None:
        """Compare a row of the chunk."""

    def rejected(self, row: dict[str, Any]) -> str | None:
        """Compare a rejected record."""

    def record(self, number: int) -> Record | Rejected | None:
        """Return a record by its number."""

    def tolerated(self, listed: Tolerated) -> str | None:
        """Compare what reading the page has tolerated."""


class PageVerification:
    """Checks pages one after the other; memory is bounded by the numbers of the rows of a page."""

    def __init__(
        self, folder: Directory, manifest: Mapping[str, Any], findings: Findings, schema: SchemaVerification
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._columns = list(manifest["dialect"]["columns"])
        self._knows_not_found = manifest["manifest_version"] > 1
        fallback = manifest["api"].get("fallback", {}) if self._knows_not_found else FALLBACK
        self._fallback = fallback_fields(fallback, self._columns)
        self._findings = findings
        findings.checked(FILES, CONTENT, ROWS)

    def check(self, saved: SavedPage, source: SourcePage | None = None) -> list[str]:
        """Check a page, and return in what it differs from `source`."""
        numbers: list[int] = []
        different: list[str] = []
        sound = self._chunk(saved, numbers, source, different)
        if saved.rejected:
            sound = self._rejected(saved.rejected, saved.by_rule, numbers, source, different) and sound
        elif saved.page.rejected:
            self._findings.problem(CONTENT, f"page {saved.page.number} lists rejected records but no file of them")
        if sound:
            self._check_numbers(saved, numbers)
        if source and saved.tolerated and (what := source.tolerated(saved.tolerated)):
            different.append(f"{saved.chunk.file}: {what}")
        return different

    def _chunk(self, saved: SavedPage, numbers: list[int], source: SourcePage | None, different: list[str]) -> bool:
        kinds = Counter[str]()

        def take(row: dict[str, Any]) -> None:
            self._check_row(row)
            self._schema.row(row)
            numbers.append(row["_row"])
            kinds["enriched" if row["enriched"] else f"error {row['error']}"] += 1
            if source and (what := source.row(row)):
                different.append(f"{saved.chunk.file}, row {row['_row']}: {what}")

        if not self._read(saved.chunk, take):
            return False
        enriched = kinds.pop("enriched", 0)
        by_error = {key.removeprefix("error "): count for key, count in kinds.items()}
        not_found = by_error.pop(NOT_FOUND, 0) if self._knows_not_found else 0
        fallback = sum(by_error.values())
        found = (enriched + not_found + fallback, enriched, not_found, fallback, by_error)
        if found != (saved.chunk.rows, saved.enriched, saved.not_found, saved.fallback, saved.by_error):
            self._findings.problem(CONTENT, f"{saved.chunk.file} has other counts than the manifest lists")
        return True

    def _rejected(
        self,
        facts: FileFacts,
        listed_by_rule: dict[str, int],
        numbers: list[int],
        source: SourcePage | None,
        different: list[str],
    ) -> bool:
        before = len(numbers)
        by_rule = Counter[str]()

        def take(row: dict[str, Any]) -> None:
            if not isinstance(row["_row"], int) or not isinstance(row["reason"], str):
                raise TypeError("a rejected record without number or reason")
            self._schema.rejected(row, source.record(row["_row"]) if source else None)
            numbers.append(row["_row"])
            if row["reason"] == "schema":
                by_rule[row.get("rule", "")] += 1
            if source and (what := source.rejected(row)):
                different.append(f"{facts.file}, row {row['_row']}: {what}")

        if not self._read(facts, take):
            return False
        if len(numbers) - before != facts.rows:
            self._findings.problem(CONTENT, f"{facts.file} has another number of records than the manifest lists")
        if listed_by_rule and listed_by_rule != by_rule:
            self._findings.problem(CONTENT, f"{facts.file} has other records by rule than the manifest lists")
        return True

    def _check_row(self, row: dict[str, Any]) -> None:
        cells = list(islice(row.items(), len(self._columns)))
        if [name for name, _ in cells] != self._columns or not all(isinstance(each, str) for _, each in cells):
            raise ValueError("a row without the source's columns")
        if not isinstance(row["_row"], int) or not isinstance(row["enriched"], bool):
            raise TypeError("a row without number or mark")
        if not row["enriched"]:
            self._check_failed_row(row)

    def _check_failed_row(self, row: dict[str, Any]) -> None:
        if not isinstance(row["error"], str):
            raise TypeError("a fallback row without its error")
        not_found = self._knows_not_found and row["error"] == NOT_FOUND
        fields = {} if not_found else self._fallback
        if any(dumps(row[name]) != dumps(value) for name, value in fields.items()):
            raise ValueError("a fallback row without its fields")
        if not_found and len(row) != len(self._columns) + len(RESERVED):
            raise ValueError("a row that was not found, with more than its source")

    def _read(self, facts: FileFacts, take: Callable[[dict[str, Any]], None]) -> bool:
        """Read a file once, handing its rows to `take`; False where it is not the file the manifest lists."""
        file = self._folder.reading(facts.file)
        if file is None:
            self._findings.problem(FILES, f"{facts.file} is missing or no plain file")
            return False
        if self._folder.size_bytes(facts.file) != facts.bytes:
            file.close()
            self._findings.problem(FILES, f"{facts.file} is not the file the manifest lists (its size differs)")
            return False
        lines = HashedBlocks(file)
        wrong = ""
        with file:
            try:
                for element in elements_of(lines):
                    take(loads(element))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                wrong = str(error) or type(error).__name__
            unchanged = lines.are(size_bytes=facts.bytes, sha256=facts.sha256)
        if not unchanged:
            self._findings.problem(FILES, f"{facts.file} is not the file the manifest lists (sha256 differs)")
            return False
        if wrong:
            self._findings.problem(CONTENT, f"{facts.file}: {wrong}")
        return not wrong

    def _check_numbers(self, saved: SavedPage, numbers: list[int]) -> None:
        first, records = saved.page.first_row, saved.page.records
        if len(numbers) != records or sorted(numbers) != list(range(first, first + records)):
            rows = f"{first} to {first + records - 1}"
            self._findings.problem(ROWS, f"page {saved.page.number} does not have each row of {rows} once")
        in_chunk = numbers[: saved.chunk.rows]
        if in_chunk != sorted(in_chunk):
            self._findings.problem(ROWS, f"{saved.chunk.file} is not in source order")
