"""The last look at a batch: the source is read again whole, the chunks are hashed, the manifest is written."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from activities.generations import write_generation
from activities.manifest import ManifestFacts, write_manifest
from activities.places import Places
from activities.source_file import SourceFile
from workflows.models import Cursor, Page
from workflows.requests import WriteManifest, WrittenManifest


def finish(places: Places, request: WriteManifest) -> WrittenManifest:
    """Write the manifest of a batch or of a later generation, or say which pages must be worked again first.

    Idempotent. Blocking: reads the source and every chunk once.

    Raises:
        SourceChanged: the source is not the one that was identified.
        OutputRefused: the pages on disk do not add up to the source.
        StorageFull: there is no room; nothing half written stays.
    """
    with places.output(request.batch) as folder:
        if request.batch.generation > 1:
            return write_generation(folder, request, finished_at=_now(), producer_version=places.producer_version)
        with places.source(request.batch) as source:
            written = write_manifest(folder, request, _facts(places, request, source))
            damaged = _found_again(source, written.damaged, request.shape.page_rows)
    return WrittenManifest(file=written.file, status=written.status, counts=written.counts, damaged=damaged)


def _facts(places: Places, request: WriteManifest, source: SourceFile) -> ManifestFacts:
    dialect = source.dialect
    shelf = "failed" if request.cancelled else "archive"
    return ManifestFacts(
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        encoding=dialect.encoding,
        newline=dialect.newline,
        columns=dialect.columns,
        data_start=dialect.data_start,
        source_sha256=source.sha256(),
        api_url=places.api_url,
        producer_version=places.producer_version,
        finished_at=_now(),
        archived_as=f"{shelf}/{request.batch.id}/{request.batch.source.name}",
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
