"""The output held against the source it was made from: every column of every row, every rejected record."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from activities.records import MAX_FIELD_CHARS
from activities.source_file import Record, Rejected, SourceFile
from activities.text_encodings import readable
from workflows.errors import OutputRefused, SourceChanged
from workflows.models import CsvOptions, Page


class SourceComparison:
    """A source opened as its manifest says it was read; a context manager."""

    def __init__(self, file: SourceFile, columns: tuple[str, ...]) -> None:
        self._file = file
        self._columns = columns

    @classmethod
    def open(cls, path: Path, manifest: dict[str, Any]) -> Self:
        """Open the source of a manifest.

        Raises:
            OutputRefused: the manifest names an encoding or a limit that no batch is made with.
            SourceError: the source cannot be read, or is another file than the one the manifest names.
        """
        file = SourceFile.open(path, _options(manifest))
        try:
            _check_same(path, file, manifest)
            return cls(file, file.dialect.columns)
        except BaseException:
            file.close()
            raise

    def page(self, page: Page) -> PageInSource:
        """Read a page.

        Raises:
            SourceError: there is no such page in the file.
        """
        inside = self._file.dialect.data_start <= page.source_start < page.source_end <= self._file.size_bytes
        if not inside:
            raise SourceChanged("the source has no such bytes")
        try:
            records = self._file.read_page(page)
        except SourceChanged as error:
            self._file.check_unchanged()
            raise SourceChanged("the source has other records there") from error
        return PageInSource({each.number: each for each in records}, self._columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class PageInSource:
    """The records of one page of the source, by number."""

    def __init__(self, records: dict[int, Record | Rejected], columns: tuple[str, ...]) -> None:
        self._records = records
        self._columns = columns

    def row(self, row: dict[str, Any]) -> str | None:
        """Return in what a row of a chunk differs from the source, None where it does not."""
        record = self._records.get(row["_row"])
        if not isinstance(record, Record):
            return "the source has no such valid row"
        different = [name for name, value in zip(self._columns, record.values, strict=True) if row[name] != value]
        return f"column {different[0]!r} differs from the source" if different else None

    def rejected(self, row: dict[str, Any]) -> str | None:
        """Return in what a rejected record differs from the source, None where it does not."""
        record = self._records.get(row["_row"])
        if not isinstance(record, Rejected):
            return "the source has a valid row there"
        found = (row.get("line"), row.get("reason"))
        return None if found == (record.line, record.reason) else "line or reason differ from the source"


def _options(manifest: dict[str, Any]) -> CsvOptions:
    dialect, settings, usual = manifest["dialect"], manifest["settings"], CsvOptions()
    if readable(dialect["encoding"]) is None:
        raise OutputRefused(f"the manifest names the encoding {dialect['encoding']!a}, in which no file is read")
    limits = {name: settings.get(name, getattr(usual, name)) for name in ("max_record_bytes", "max_field_bytes")}
    for name, limit_bytes in limits.items():
        if not 0 < limit_bytes <= MAX_FIELD_CHARS:
            raise OutputRefused(f"the manifest says {name} is {limit_bytes}, which it cannot have been")
    return CsvOptions(encoding=dialect["encoding"], delimiter=dialect["delimiter"], **limits)


def _check_same(path: Path, file: SourceFile, manifest: dict[str, Any]) -> None:
    dialect = manifest["dialect"]
    listed_bytes = manifest["source"]["bytes"]
    if file.size_bytes != listed_bytes:
        raise SourceChanged(f"{path} has {file.size_bytes} bytes, the manifest says {listed_bytes}")
    if file.sha256() != manifest["source"]["sha256"]:
        raise SourceChanged(f"{path} is not the file this batch was made from: its sha256 is another one")
    if list(file.dialect.columns) != dialect["columns"] or file.dialect.data_start != dialect["data_start"]:
        raise SourceChanged(f"{path}: its header is not read as the manifest says")
