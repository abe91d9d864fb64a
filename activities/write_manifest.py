"""The end of a batch: the chunks are hashed, the source is read again whole, the manifest is written."""

from __future__ import annotations

from dataclasses import asdict, replace

import orjson

from activities.disk.directory import Directory
from activities.file_source import file_source
from activities.manifest.first_generation import UNKNOWN, ManifestFacts, write_manifest
from activities.manifest.next_generation import write_generation
from activities.manifest.publish import finished
from activities.output.names import rejected_name
from activities.output.page_journal import entries
from activities.prepare_batch import write_schema
from activities.registry.timestamps import now_text
from activities.source.source_file import SourceFile
from activities.workspace import Workspace
from workflows.errors import BatchdError, OutputRefused
from workflows.models import Cursor, Page
from workflows.requests import FileSource, WriteManifest, WrittenManifest

TOLD_RECORDS = 3


def finish(workspace: Workspace, request: WriteManifest) -> WrittenManifest:
    """Write the manifest of a batch or of a later generation, or say which pages must be worked again first.

    Idempotent. Blocking: reads the source and every chunk once.

    Raises:
        SourceChanged: the source is not the one that was identified.
        OutputRefused: the pages on disk do not add up to the source.
        StorageFull: there is no room; nothing half written stays.
    """
    failure = ""
    with workspace.output(request.batch) as folder:
        if request.batch.generation > 1:
            return write_generation(
                folder, request, finished_at=now_text(), producer_version=workspace.producer_version
            )
        written = finished(folder, 1) or _written(workspace, folder, request)
        if written.status == "partial":
            failure = _why_no_row_is_valid(folder, written.counts.records)
    return replace(written, failure=failure)


def conclude(workspace: Workspace, request: WriteManifest) -> WrittenManifest:
    """Write the manifest and, where it says that the batch is complete, file the source. Idempotent. Blocking.

    Raises:
        BatchdError: what `finish` and `file_source` raise.
    """
    written = finish(workspace, request)
    if written.file is None or written.failure or written.status == "cancelled":
        return written
    filing = FileSource(
        batch=request.batch,
        outcome="completed",
        started_at=request.started_at,
        counts=written.counts,
        manifest=written.file,
    )
    file_source(workspace.inbox(request.batch), workspace.receipts, filing, workspace.tally)
    return replace(written, filed=True)


def _written(workspace: Workspace, folder: Directory, request: WriteManifest) -> WrittenManifest:
    """Write the first manifest. Where there is one, the source is not asked for: it may have been filed since."""
    if request.schema:  # of a batch that was cancelled early, or it was deleted since
        write_schema(folder, request.schema)
    with workspace.source(request.batch) as source:
        written = write_manifest(folder, request, lambda: _facts(workspace, request, source))
        return replace(written, damaged=_found_again(folder, source, written.damaged, request.shape.page_rows))


def _why_no_row_is_valid(folder: Directory, records: int) -> str:
    """Return the first reasons in words. All records were rejected, so the first page has a file of them."""
    name = rejected_name(1)
    try:
        first = orjson.loads(folder.read(name) or b"[]")[:TOLD_RECORDS]
        examples = [f"row {each['_row']} (line {each['line']}): {each['reason']}, {each['detail']}" for each in first]
    except (BatchdError, ValueError, TypeError, KeyError):
        examples = []
    verdict = f"none of its {records:,} records is a valid row" if records > 1 else "its only record is no valid row"
    return "; ".join([verdict, *examples, f"the rejected records are in {folder.path / name} and those after it"])


def _facts(workspace: Workspace, request: WriteManifest, source: SourceFile) -> ManifestFacts:
    dialect = source.dialect
    return ManifestFacts(
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        encoding=dialect.encoding,
        newline=dialect.newline,
        columns=dialect.columns,
        data_start=dialect.data_start,
        record_rules=dialect.record_rules,
        other_rules=dialect.other_rules(),
        decided_by=dialect.decided_by,
        data_end=dialect.data_end,
        source_sha256=source.sha256(),
        api_url=workspace.api_url,
        producer_version=workspace.producer_version,
        finished_at=now_text(),
        settings={**workspace.folders.of(request.batch).settings, **asdict(request.shape)},
    )


def _found_again(folder: Directory, source: SourceFile, damaged: list[Page], page_rows: int) -> list[Page]:
    """Return damaged pages whole. What the journal does not know is found behind the nearest page that it does."""
    if not any(page.source_start == UNKNOWN for page in damaged):
        return damaged
    journal = entries(folder)
    at, found = Cursor(), list[Page]()
    for page in damaged:
        if page.source_start != UNKNOWN:
            found.append(page)
            continue
        if at.page != page.number:
            before = max((each for each in journal if each < page.number), default=0)
            at = _start_of(journal[before].page) if before else Cursor()
        walked = source.find_pages(at, page_rows=page_rows, max_pages=page.number - at.page + 1)
        if not walked.pages or walked.pages[-1].number != page.number:
            raise OutputRefused(f"{folder.path}: the source has no page {page.number}, which was saved before")
        found.append(walked.pages[-1])
        at = walked.next or Cursor()
    return found


def _start_of(page: Page) -> Cursor:
    return Cursor(offset=page.source_start, page=page.number, row=page.first_row, line=page.line)
