"""Later generations of a finished batch: its fallback rows tried again, everything else left as it is.

Generation n + 1 has a new chunk for every chunk of generation n that holds fallback rows, and a manifest that lists
these beside the untouched ones and names its parent. The files of generation n stay, so that its manifest goes on
proving what it proved. Neither the source nor Temporal's memory of the batch is needed: the rows are in the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from activities.disk.directory import Directory
from activities.manifest.document import ManifestDocument, counts_object, counts_of, schema_files, status_of
from activities.manifest.facts import API_KEYS, PRODUCER, json_safe, work_facts
from activities.manifest.first_generation import MAX_DAMAGED_PAGES
from activities.manifest.publish import finished, finished_once, publish, remove_unlisted
from activities.manifest.reader import digest_of, listed_columns, read_manifest, saved_pages
from activities.manifest.retried_page import RetriedPage, damaged, is_fallback
from activities.output.names import manifest_name
from activities.output.page_journal import SavedPage, entries, matches, unchanged
from workflows.ids import workflow_id
from workflows.models import Checked, Cursor, Page
from workflows.requests import LoadedPages, LoadPages, WriteManifest, WrittenManifest


class FallbackRow(NamedTuple):
    """A row to be tried again: its number and its source columns."""

    number: int
    source: dict[str, str]


def find_fallback_pages(folder: Directory, request: LoadPages) -> LoadedPages:
    """Return up to `max_pages` pages from `cursor.page` on that hold fallback rows in the generation before.

    `request.batch.generation` is the new generation. The next cursor's `page` is behind the last page returned.

    Raises:
        OutputRefused: there is no manifest of the generation before.
    """
    before = saved_pages(read_manifest(folder, request.batch.generation - 1))
    left = [each.page for each in before if each.fallback and each.page.number >= request.cursor.page]
    pages = left[: request.max_pages]
    return LoadedPages(pages=pages, next=Cursor(page=pages[-1].number + 1) if len(left) > len(pages) else None)


def fallback_rows(folder: Directory, page: Page, generation: int) -> Iterator[FallbackRow]:
    """Yield the rows of a page that generation `generation` is to try again.

    Raises:
        OutputRefused: the page's chunk is not what its manifest says.
    """
    columns = listed_columns(folder, generation - 1)
    again = (row for row, _ in RetriedPage.of(folder, page, generation).elements() if is_fallback(row))
    yield from (FallbackRow(row["_row"], {column: row[column] for column in columns}) for row in again)


def write_generation(
    folder: Directory, request: WriteManifest, *, finished_at: str, producer_version: str
) -> WrittenManifest:
    """Write the manifest of generation `request.batch.generation`, or say which pages must be worked first.

    Idempotent. Source, identity, dialect and settings are its parent's. Of a cancelled retry, the pages that were
    done count and the others stay as they were.

    Raises:
        OutputRefused: the parent, or a file that is to stay, is not what it was.
        StorageFull: there is no room; nothing half written stays.
    """
    generation = request.batch.generation
    return finished_once(folder, generation, lambda: _attempt(folder, request, finished_at, producer_version))


def _attempt(folder: Directory, request: WriteManifest, finished_at: str, producer_version: str) -> WrittenManifest:
    generation = request.batch.generation
    parent = read_manifest(folder, generation - 1)
    if digest_of(parent) != parent["integrity"]["digest"]:
        raise damaged(folder, manifest_name(generation - 1))
    for each in schema_files(parent):
        if not unchanged(folder, each):
            raise damaged(folder, each.file)
    begun_ns = folder.now_ns()
    journal = entries(folder, generation)
    # The journal goes once there is a manifest: only where there is none yet, what was read of it is all of it.
    if (done := finished(folder, generation)) is not None:
        return done
    before = saved_pages(parent)
    pages, missing = _merged(folder, request, journal, before)
    if missing and not request.cancelled:
        last = before[len(pages) - 1].page.number
        return WrittenManifest(file=None, damaged=missing, checked=Checked(page=last, since_ns=begun_ns))
    facts = _facts(request, parent, pages)
    kept = {key: parent["api"][key] for key in API_KEYS if key in parent["api"]}
    facts |= work_facts(request, kept, finished_at, counts_of(pages))
    facts |= {"producer": {"name": PRODUCER, "version": producer_version}, "parent": _parent(folder, generation - 1)}
    document = ManifestDocument(facts=json_safe(facts), pages=pages, previous=parent["integrity"]["digest"])
    remove_unlisted(folder, document)
    return publish(folder, document)


def _merged(
    folder: Directory, request: WriteManifest, journal: dict[int, SavedPage], before: list[SavedPage]
) -> tuple[list[SavedPage], list[Page]]:
    """Return the pages as they are now, and those whose fallback rows were not tried again; ends after 100 of them."""
    generation = request.batch.generation
    pages: list[SavedPage] = []
    missing: list[Page] = []
    for page in before:
        since_ns = request.checked.since(page.page.number)
        again = journal.get(page.page.number)
        if again is not None and not matches(folder, again, generation, since_ns=since_ns):
            folder.remove(again.chunk.file)
            again = None
        if again is None and page.fallback:
            missing.append(page.page)
        now = again or page
        for each in now.files():
            if (again is None or each is now.rejected) and not unchanged(folder, each, since_ns=since_ns):
                raise damaged(folder, each.file)
        pages.append(now)
        if len(missing) == MAX_DAMAGED_PAGES and not request.cancelled:
            break
    return pages, missing


def _facts(request: WriteManifest, parent: dict[str, Any], pages: list[SavedPage]) -> dict[str, Any]:
    """Return the parent's facts, with what this generation changes of them."""
    generation = request.batch.generation
    counts = counts_of(pages)
    kept = {key: value for key, value in parent.items() if key not in {"chunks", "rejected_files", "integrity"}}
    return kept | {
        "generation": generation,
        "workflow_id": f"{workflow_id(request.batch.id)}-g{generation}",
        "run_ids": list(request.run_ids),
        "status": "cancelled" if parent["status"] == "cancelled" else status_of(counts),
        "counts": counts_object(counts, parent["manifest_version"]),
    }


def _parent(folder: Directory, generation: int) -> dict[str, Any]:
    name = manifest_name(generation)
    there = folder.stored(name)
    return {"generation": generation, "file": name, "sha256": there.sha256 if there else ""}
