"""The first records of a file, read as a worker reads them, from the file as it lies there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from activities.api.rows import CallRow
from activities.disk.fingerprint import Fingerprint
from activities.source.detection.doubt import DoubtfulDialect
from activities.source.detection.examination import examine
from activities.source.pinned_file import PinnedFile
from activities.source.source_file import Record, Rejected, SourceFile
from daemon.config.feed_settings import feed_of
from daemon.config.settings import Settings
from daemon.intake.admit.candidate import Candidate, RuleContext
from daemon.intake.admit.checks import mismatch, too_large, wrong_name
from daemon.intake.observe.entries import Entry, kind_of
from workflows.ids import batch_id, identity_key
from workflows.models import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRows:
    """The first records of a file, valid or not; `identity` is the id that its batch would have."""

    file: str
    identity: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    records: tuple[Record | Rejected, ...]

    def source_of(self, record: Record) -> dict[str, str]:
        """Return the source columns of a row."""
        return dict(zip(self.columns, record.values, strict=True))

    def call_row(self, record: Record, *, key_prefix: str = "") -> CallRow:
        """Return a row as it is called."""
        key = f"{key_prefix}{self.identity}-{record.number}"
        return CallRow(number=record.number, key=key, body=orjson.dumps(self.source_of(record)))


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
        name = os.fsencode(path.name)
        key = identity_key(settings.identity, name=name, sha256=source.sha256(), feed=feed_of(settings))
        dialect = source.dialect
    return FirstRows(
        file=path.name,
        identity=batch_id(name, key),
        encoding=dialect.encoding,
        delimiter=dialect.delimiter,
        columns=dialect.columns,
        records=tuple(records),
    )
