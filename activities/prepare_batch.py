"""What a batch with a schema needs before its first page: the schema, and which rows repeat what is to be unique."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256

from activities.batch_schema import BatchSchema
from activities.disk.directory import Directory
from activities.output.names import DUPLICATES, SCHEMA
from activities.source.source_file import Record, Rejected, SourceFile
from activities.uniqueness.duplicate_rows import has_duplicates_file, write_duplicates
from activities.uniqueness.key_spill import KeySpill
from activities.workspace import Workspace
from workflows.errors import OutputRefused, TransientError
from workflows.models import Cursor
from workflows.requests import PrepareBatch, PreparedBatch

ROWS_AT_ONCE = 2_000
"""So many records are read before it is asked whether to go on."""

_KEY_BITS = 16
"""The mark of a key is the number of its record, and below that the number of the key."""

CalledOff = Callable[[], bool]


def prepare_batch(workspace: Workspace, request: PrepareBatch, called_off: CalledOff = lambda: False) -> PreparedBatch:
    """Write the schema of a batch into its output folder, and find the rows that repeat a key. Idempotent. Blocking.

    Where the schema has keys the whole source is read once, in memory that does not grow with it. A kill leaves nothing
    that is taken for a result; the next attempt begins anew. `called_off` is asked now and then.

    Raises:
        OutputRefused: the folder is not ours; or of a retry, whose folder has its schema, it is gone.
        SourceError: the source is not the one that was identified.
        StorageFull: there is no room; nothing half written stays.
        TransientError: it was called off.
    """
    with workspace.output(request.batch) as folder:
        write_schema(folder, request.schema)
        with workspace.source(request.batch) as source:
            schema = BatchSchema.of_text(request.schema, source.dialect.columns, request.batch.csv)
            if not schema.has_keys or has_duplicates_file(folder):
                return PreparedBatch()
            folder.remove(DUPLICATES)
            return PreparedBatch(duplicates=_find_duplicates(folder, source, schema, called_off))


def write_schema(folder: Directory, schema: str) -> None:
    """Make `schema.json` hold `schema`; what else stands there is replaced."""
    if not schema:
        raise OutputRefused(
            f"{folder.path / SCHEMA} is gone or is not what it was, and with it the schema of the rows; put it back"
        )
    stored = folder.write_once(SCHEMA, [schema.encode()])
    if stored.sha256 != sha256(schema.encode()).hexdigest():
        folder.remove(SCHEMA)
        folder.write_once(SCHEMA, [schema.encode()])


def _find_duplicates(folder: Directory, source: SourceFile, schema: BatchSchema, called_off: CalledOff) -> int:
    fd = folder.nameless()
    try:
        spill, records = KeySpill(fd), 0
        for record in _all_records(source, called_off):
            records += 1
            if isinstance(record, Record) and not schema.refusal(record):
                for key, value in schema.key_values(record):
                    spill.add(value, record.number << _KEY_BITS | key)
        marks = _until(spill.repeats(), called_off)
        return write_duplicates(folder, records, ((mark >> _KEY_BITS, mark % (1 << _KEY_BITS)) for mark in marks))
    finally:
        os.close(fd)


def _all_records(source: SourceFile, called_off: CalledOff) -> Iterator[Record | Rejected]:
    at: Cursor | None = Cursor()
    while at is not None:
        _go_on(called_off)
        found = source.find_pages(at, page_rows=ROWS_AT_ONCE, max_pages=1)
        for page in found.pages:
            yield from source.rows_of(page)
        at = found.next


def _until(marks: Iterator[int], called_off: CalledOff) -> Iterator[int]:
    for at, mark in enumerate(marks):
        if at % ROWS_AT_ONCE == 0:
            _go_on(called_off)
        yield mark


def _go_on(called_off: CalledOff) -> None:
    if called_off():
        raise TransientError("the search for rows that repeat a key was called off; it begins anew")
