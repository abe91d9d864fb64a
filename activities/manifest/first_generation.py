"""The completion manifest: everything on disk is hashed once more, and what does not hold is worked again.

It is written last, at once and for ever: its presence means that the batch is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from activities.disk.directory import Directory
from activities.manifest.document import ManifestDocument
from activities.manifest.facts import ManifestFacts, first_facts
from activities.manifest.publish import finished, finished_once, publish, remove_unlisted
from activities.output.page_journal import SavedPage, entries, matches
from workflows.errors import OutputRefused, SourceChanged
from workflows.models import Checked, Page
from workflows.requests import WriteManifest, WrittenManifest

__all__ = ["UNKNOWN", "ManifestFacts", "write_manifest"]

MAX_DAMAGED_PAGES = 100
UNKNOWN = -1
"""Stands in a damaged page for what only the source can tell."""


def write_manifest(folder: Directory, request: WriteManifest, facts: Callable[[], ManifestFacts]) -> WrittenManifest:
    """Write the manifest of a batch, or say which pages must be worked again first. Idempotent.

    A damaged page that the journal does not know has -1 for everything but its number: only the source can tell.
    `facts` is called last, once no page is damaged: it reads the whole source. What an answer before this one has
    found to be sound (`request.checked`) is hashed again only where it changed since.

    Raises:
        SourceChanged: the source is not the one that was identified.
        OutputRefused: the pages on disk do not add up to the source.
        StorageFull: there is no room; nothing half written stays.
    """
    return finished_once(folder, 1, lambda: _attempt(folder, request, facts))


def _attempt(folder: Directory, request: WriteManifest, find_facts: Callable[[], ManifestFacts]) -> WrittenManifest:
    begun_ns = folder.now_ns()
    journal = entries(folder)
    # The journal goes once there is a manifest: only where there is none yet, what was read of it is all of it.
    if (done := finished(folder, 1)) is not None:
        return done
    expected = sorted(journal) if request.cancelled else range(1, request.pages + 1)
    sound, bad = _sorted_out(folder, journal, expected, request.checked)
    if bad and not request.cancelled:
        last = max(bad[-1], sound[-1].page.number if sound else 0)
        damaged = [_to_work_again(each, journal) for each in bad]
        return WrittenManifest(file=None, damaged=damaged, checked=Checked(page=last, since_ns=begun_ns))
    facts = find_facts()
    if facts.source_sha256 != request.batch.source.sha256:
        raise SourceChanged(f"{request.batch.source.name} was changed after it was claimed: its sha256 is another one")
    _check_adds_up(request, facts, sound)
    document = ManifestDocument(facts=first_facts(request, facts, sound), pages=sound)
    remove_unlisted(folder, document)
    return publish(folder, document)


def _sorted_out(
    folder: Directory, journal: dict[int, SavedPage], expected: Iterable[int], checked: Checked
) -> tuple[list[SavedPage], list[int]]:
    """Return the sound pages and the numbers of the others, whose files are removed; ends after 100 of those."""
    sound: list[SavedPage] = []
    bad: list[int] = []
    for number in expected:
        saved = journal.get(number)
        if saved is not None and matches(folder, saved, since_ns=checked.since(number)):
            sound.append(saved)
            continue
        bad.append(number)
        for each in saved.files() if saved else []:
            folder.remove(each.file)
        if len(bad) == MAX_DAMAGED_PAGES:
            break
    return sound, bad


def _to_work_again(number: int, journal: dict[int, SavedPage]) -> Page:
    if number in journal:
        return journal[number].page
    return Page(
        number=number, source_start=UNKNOWN, source_end=UNKNOWN, first_row=UNKNOWN, records=UNKNOWN, line=UNKNOWN
    )


def _check_adds_up(request: WriteManifest, facts: ManifestFacts, pages: list[SavedPage]) -> None:
    """Hold the pages against the source: they may not overlap, and there may be gaps only in a cancelled batch."""
    for saved in pages:
        if saved.chunk.rows + saved.rejected_rows != saved.page.records:
            raise _does_not_add_up(request, f"page {saved.page.number} has another number of rows than records")
    for before, after in pairwise(each.page for each in pages):
        bytes_apart = after.source_start - before.source_end
        rows_apart = after.first_row - before.first_row - before.records
        if bytes_apart < 0 or rows_apart < 0 or ((bytes_apart or rows_apart) and not request.cancelled):
            raise _does_not_add_up(request, f"page {after.number} does not start where page {before.number} ends")
    if request.cancelled:
        return
    if pages and (pages[0].page.source_start, pages[0].page.first_row) != (facts.data_start, 1):
        raise _does_not_add_up(request, "the first page does not start at the first record")
    data_end = facts.data_end or request.batch.source.size_bytes
    if (pages[-1].page.source_end if pages else facts.data_start) != data_end:
        raise _does_not_add_up(request, "the last page does not end where the source ends")


def _does_not_add_up(request: WriteManifest, why: str) -> OutputRefused:
    return OutputRefused(f"the saved pages of batch {request.batch.id} do not add up to the source: {why}")
