"""The first records of a file, read as a worker reads them, from the file as it lies there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from activities.api.rows import CallRow
from activities.batch_schema import BatchSchema
from activities.disk.fingerprint import Fingerprint
from activities.page_rows import PageRows
from activities.source.detection.doubt import DoubtfulDialect
from activities.source.detection.examination import examine
from activities.source.pinned_file import PinnedFile
from activities.source.source_file import Record, Rejected, SourceFile
from daemon.config.feed_settings import FeedSettings, feed_of
from daemon.config.settings import Settings
from daemon.intake.admit.candidate import Candidate, RuleContext
from daemon.intake.admit.checks import mismatch, too_large, wrong_name
from daemon.intake.observe.entries import Entry, kind_of
from workflows.errors import InvalidCsv
from workflows.ids import batch_id, identity_key, printable
from workflows.models import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRows:
    """The first records of a file, valid or not; `identity` is the id that its batch would have.

    Where the feed has a `schema`, records that break it are rejected, and the others are called typed.
    """

    file: str
    identity: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    records: tuple[Record | Rejected, ...]
    schema: BatchSchema | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns in a row as it is called."""
        return self.schema.names if self.schema else self.columns

    def rows(self) -> PageRows:
        """Return what the rows are sent and kept by."""
        return PageRows(self.columns, self.schema)

    def source_of_number(self, number: int) -> dict[str, str]:
        """Return the source columns of the row of a number."""
        return next(self.source_of(each) for each in self.records if isinstance(each, Record) and each.number == number)

    def source_of(self, record: Record) -> dict[str, str]:
        """Return the source columns of a row."""
        return dict(zip(self.columns, record.values, strict=True))

    def call_row(self, record: Record, *, key_prefix: str = "") -> CallRow:
        """Return a row as it is called."""
        key = f"{key_prefix}{self.identity}-{record.number}"
        return self.rows().call(record.number, key, self.source_of(record))


def obstacles(path: Path, settings: Settings) -> list[str]:
    """Return why the daemon would not take a file of this name and size, in the words of `explain`.

    Raises:
        OSError: there is no such file.
    """
    status = path.lstat()
    entry = Entry(os.fsencode(path.name), kind_of(status.st_mode), Fingerprint.of(status))
    candidate = Candidate(RuleContext(settings, reads_large=False), entry)
    found = [rule(candidate) for rule in (wrong_name, mismatch, too_large)]
    return [*(f"{each.why}; {each.todo}" for each in found if each), *_doubts(path, settings)]


def _doubts(path: Path, settings: Settings) -> list[str]:
    if not path.is_file():
        return []
    window = PinnedFile.open(path.resolve())
    try:
        doubts = [each for each in examine(window, settings.shape().csv).refusals if isinstance(each, DoubtfulDialect)]
    finally:
        window.close()
    return [str(each) for each in doubts if each.check not in settings.unchecked]


def first_rows(path: Path, settings: Settings, rows: int) -> FirstRows:
    """Read the first `rows` records of a file; all of it is read once for its encoding and its id. Blocking.

    Raises:
        SourceError: it would be refused, or cannot be read.
    """
    path = path.absolute()
    with SourceFile.open(path, settings.shape().csv) as source:
        found = source.find_pages(Cursor(), page_rows=rows, max_pages=1)
        records = source.read_page(found.pages[0]) if found.pages else []
        schema = _schema(path.name, settings, source.dialect.columns)
        name = os.fsencode(path.name)
        key = identity_key(settings.identity, name=name, sha256=source.sha256(), feed=feed_of(settings))
        dialect = source.dialect
    return FirstRows(
        file=path.name,
        identity=batch_id(name, key),
        encoding=dialect.encoding,
        delimiter=dialect.delimiter,
        columns=dialect.columns,
        records=tuple(_held_to(schema, records) if schema else records),
        schema=schema,
    )


def _schema(file: str, settings: Settings, columns: tuple[str, ...]) -> BatchSchema | None:
    text = settings.checked_schema_text() if isinstance(settings, FeedSettings) else ""
    try:
        return BatchSchema.of_text(text, columns, settings.shape().csv) if text else None
    except InvalidCsv as error:
        raise InvalidCsv(f"{printable(file)}: {error}") from error


def _held_to(schema: BatchSchema, records: Iterable[Record | Rejected]) -> Iterator[Record | Rejected]:
    """Yield records as a batch has them; what only one row may have is compared among them alone."""
    seen: set[bytes] = set()
    for record in records:
        judged = schema.judged(record) if isinstance(record, Record) else record
        if isinstance(judged, Record):
            keys = list(schema.key_values(judged))
            judged = schema.judged(judged, next((number for number, key in keys if key in seen), None))
            seen.update(key for _, key in keys)
        yield judged
