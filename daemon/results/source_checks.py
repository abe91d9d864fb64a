"""The output held against the source it was made from: every column of every row, every rejected record."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from activities.batch_schema import KEY_RULES, BatchSchema
from activities.registry.receipts import built
from activities.source.dialect import Dialect, dialect_of_header, find_dialect, listed_dialect
from activities.source.encoding import readable
from activities.source.field_format import can_separate
from activities.source.grammar import RECORD_RULES
from activities.source.parser import MAX_FIELD_CHARS
from activities.source.pinned_file import PinnedFile
from activities.source.scanner import Window
from activities.source.source_file import Record, Rejected, SourceFile
from workflows.errors import InvalidCsv, OutputRefused, SourceChanged, SourceError, SourceUnreadable, SourceVanished
from workflows.models import CsvOptions, Page, PinnedDialect, Tolerated


class SourceComparison:
    """A source opened as its manifest says it was read; a context manager."""

    def __init__(self, file: SourceFile, path: Path, schema: BatchSchema | None = None) -> None:
        self._file = file
        self._path = path
        self._schema = schema

    @classmethod
    def open(cls, path: Path, manifest: dict[str, Any], schema: BatchSchema | None = None) -> Self:
        """Open the source of a manifest; a link to it is followed, since the operator named it.

        `schema` is what the rows of the result had to fit.

        Raises:
            OutputRefused: the manifest names an encoding, a limit or rules that no batch of this version is made with.
            SourceError: the source cannot be read, or is another file than the one the manifest names.
        """
        options = _options(manifest)
        content = _opened(path)
        try:
            _check_same(path, content, manifest["source"])
            return cls(_as_listed(path, content, options, manifest["dialect"]), path, schema)
        except BaseException:
            content.close()
            raise

    def page(self, page: Page) -> PageInSource:
        """Read a page.

        Raises:
            SourceError: there is no such page in the file.
        """
        inside = self._file.dialect.data_start <= page.source_start < page.source_end <= self._file.size_bytes
        if not inside:
            raise SourceChanged("the source has no such bytes")
        tolerated: list[Tolerated] = []
        try:
            records = self._file.read_page(page, tolerated.append)
        except SourceError as error:
            raise SourceChanged(f"{self._path} has other records there, or has just been changed") from error
        by_number = {each.number: each for each in records}
        return PageInSource(by_number, self._file.dialect.columns, self._schema, tolerated[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class PageInSource:
    """The records of one page of the source, by number."""

    def __init__(
        self,
        records: dict[int, Record | Rejected],
        columns: tuple[str, ...],
        schema: BatchSchema | None = None,
        tolerated: Tolerated = Tolerated(),  # noqa: B008 - frozen
    ) -> None:
        self._records = records
        self._columns = columns
        self._schema = schema
        self._tolerated = tolerated

    def tolerated(self, listed: Tolerated) -> str | None:
        """Return in what the source differs from what a manifest says that reading the page has tolerated."""
        if listed == self._tolerated:
            return None
        return f"the source has {_in_words(self._tolerated)}, the manifest says {_in_words(listed)}"

    def row(self, row: dict[str, Any]) -> str | None:
        """Return in what a row of a chunk differs from the source, None where it does not."""
        record = self._records.get(row["_row"])
        if not isinstance(record, Record):
            return "the source has no such valid row"
        different = [name for name, value in zip(self._columns, record.values, strict=True) if row[name] != value]
        return f"column {different[0]!r} differs from the source" if different else None

    def record(self, number: int) -> Record | Rejected | None:
        """Return a record by its number."""
        return self._records.get(number)

    def rejected(self, row: dict[str, Any]) -> str | None:
        """Return in what a rejected record differs from the source, None where it does not."""
        record = self._records.get(row["_row"])
        judged = self._schema.judged(record) if self._schema and isinstance(record, Record) else record
        if isinstance(judged, Rejected):
            expected = {**judged.fields(), "detail": row.get("detail")}
        elif isinstance(judged, Record) and row.get("rule") in KEY_RULES:
            expected = {**row, "line": judged.line, "reason": "schema"}
        else:
            return "the source has a valid row there"
        different = [key for key, value in expected.items() if row.get(key) != value]
        return f"{', '.join(different)} differ from the source" if different else None


def _in_words(tolerated: Tolerated) -> str:
    return f"{tolerated.blank_lines:,} blank lines and {tolerated.bare_quotes:,} bare quotes"


def _options(manifest: dict[str, Any]) -> CsvOptions:
    dialect, settings, usual = manifest["dialect"], manifest["settings"], CsvOptions()
    if readable(dialect["encoding"]) is None:
        raise OutputRefused(f"the manifest names the encoding {dialect['encoding']!a}, in which no file is read")
    if not can_separate(dialect["delimiter"]):
        raise OutputRefused(f"the manifest names the delimiter {dialect['delimiter']!a}, by which no file is read")
    limits = {name: settings.get(name, getattr(usual, name)) for name in ("max_record_bytes", "max_field_bytes")}
    for name, limit_bytes in limits.items():
        if not 0 < limit_bytes <= MAX_FIELD_CHARS:
            raise OutputRefused(f"the manifest says {name} is {limit_bytes}, which it cannot have been")
    columns = max(usual.max_columns, len(dialect["columns"]))
    return CsvOptions(
        encoding=dialect["encoding"],
        delimiter=dialect["delimiter"],
        max_columns=columns,
        column_names=tuple(dialect["columns"]),
        footer=_footer(settings),
        **limits,
    )


def _footer(settings: dict[str, Any]) -> str:
    footer = settings.get("footer", "")
    try:
        re.compile(footer)
    except (re.error, TypeError):
        raise OutputRefused(f"the manifest says footer is {footer!a}, which it cannot have been") from None
    return str(footer)


def _opened(path: Path) -> PinnedFile:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceUnreadable(f"{path} is not a regular file; save it to one and give that")
        return PinnedFile.open(path.resolve())
    except (FileNotFoundError, SourceVanished) as error:
        raise SourceVanished(f"{path} does not exist") from error
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}") from error


def _check_same(path: Path, content: PinnedFile, listed: dict[str, Any]) -> None:
    if content.size_bytes != listed["bytes"]:
        raise SourceChanged(f"{path} has {content.size_bytes} bytes, the manifest says {listed['bytes']}")
    try:
        sha256 = content.sha256()
    except SourceError as error:
        raise SourceChanged(f"{path} was changed while it was read") from error
    if sha256 != listed["sha256"]:
        raise SourceChanged(f"{path} is not the file this batch was made from: its sha256 is another one")


def _as_listed(path: Path, content: PinnedFile, options: CsvOptions, listed: dict[str, Any]) -> SourceFile:
    """Open a source whose header is read as the manifest says, by today's rules or by those before."""
    for find in (partial(_pinned, listed=listed), find_dialect, dialect_of_header):
        dialect = _found(find, content, options)
        if dialect and _begins_and_ends(dialect, listed):
            return SourceFile(content, replace(dialect, record_rules=_rules(listed)), options)
    raise SourceChanged(f"{path}: its header is not read as the manifest says")


def _begins_and_ends(dialect: Dialect, listed: dict[str, Any]) -> bool:
    found = (list(dialect.columns), dialect.data_start, dialect.data_end)
    return found == (listed["columns"], listed["data_start"], listed.get("data_end", 0))


def _pinned(window: Window, options: CsvOptions, *, listed: dict[str, Any]) -> Dialect:
    """Read the header by what the manifest says of it, which is all that a dialect needs."""
    return listed_dialect(window, built(PinnedDialect, listed), options)


def _rules(listed: dict[str, Any]) -> int:
    rules: int = listed.get("record_rules", 1)
    if not 1 <= rules <= RECORD_RULES:
        raise OutputRefused(f"the manifest says its records were read by rules {rules}; verify it with a newer batchd")
    return rules


def _found(find: Callable[[Window, CsvOptions], Dialect], content: PinnedFile, options: CsvOptions) -> Dialect | None:
    try:
        return find(content, options)
    except InvalidCsv:
        return None
