"""The last look at a batch: the source is read again whole, the chunks are hashed, the manifest is written."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime

import orjson

from activities.folder import Folder
from activities.generations import write_generation
from activities.manifest import ManifestFacts, write_manifest
from activities.output_names import rejected_name
from activities.places import Places
from activities.source_file import SourceFile
from workflows.errors import BatchdError
from workflows.models import Cursor, Page
from workflows.requests import WriteManifest, WrittenManifest

TOLD_RECORDS = 3


def finish(places: Places, request: WriteManifest) -> WrittenManifest:
    """Write the manifest of a batch or of a later generation, or say which pages must be worked again first.

    Idempotent. Blocking: reads the source and every chunk once.

    Raises:
        SourceChanged: the source is not the one that was identified.
        OutputRefused: the pages on disk do not add up to the source.
        StorageFull: there is no room; nothing half written stays.
    """
    failure = ""
    with places.output(request.batch) as folder:
        if request.batch.generation > 1:
            return write_generation(folder, request, finished_at=_now(), producer_version=places.producer_version)
        with places.source(request.batch) as source:
            written = write_manifest(folder, request, _facts(places, request, source))
            damaged = _found_again(source, written.damaged, request.shape.page_rows)
        if written.status == "partial":
            failure = _why_no_row_is_valid(folder, written.counts.records)
    return replace(written, damaged=damaged, failure=failure)


def _why_no_row_is_valid(folder: Folder, records: int) -> str:
    """Return the first reasons in words. All records were rejected, so the first page has a file of them."""
    name = rejected_name(1)
    try:
        first = orjson.loads(folder.read(name) or b"[]")[:TOLD_RECORDS]
        examples = [f"row {each['_row']} (line {each['line']}): {each['reason']}, {each['detail']}" for each in first]
    except (BatchdError, ValueError, TypeError, KeyError):
        examples = []
    verdict = f"none of its {records:,} records is a valid row" if records > 1 else "its only record is no valid row"
    return "; ".join([verdict, *examples, f"the rejected records are in {folder.path / name} and those after it"])


def _facts(places: Places, request: WriteManifest, source: SourceFile) -> ManifestFacts:
    dialect = source.dialect
    return ManifestFacts(
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        encoding=dialect.encoding,
        newline=dialect.newline,
        columns=dialect.columns,
        data_start=dialect.data_start,
        record_rules=dialect.record_rules,
        source_sha256=source.sha256(),
        api_url=places.api_url,
        producer_version=places.producer_version,
        finished_at=_now(),
        settings={**places.settings, **asdict(request.shape)},
    )


def _found_again(source: SourceFile, damaged: list[Page], page_rows: int) -> list[Page]:
    """Return damaged pages whole: from their own start where that is known, else by one walk from the file's start."""
    unknown = {page.number for page in damaged if page.source_start < 0}
    walked = source.find_pages(Cursor(), page_rows=page_rows, max_pages=max(unknown)).pages if unknown else []
    found = {page.number: page for page in walked if page.number in unknown}
    return [found.get(page.number) or _from_its_start(source, page, page_rows) for page in damaged]


def _from_its_start(source: SourceFile, page: Page, page_rows: int) -> Page:
    at = Cursor(offset=page.source_start, page=page.number, row=page.first_row, line=page.line)
    return source.find_pages(at, page_rows=page_rows, max_pages=1).pages[0]


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds")
