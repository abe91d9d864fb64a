"""From finished rows to a chunk file, once, whoever asks how often.

The bytes follow from the rows alone: two attempts that overlap write the same file, and the second adopts the first's.
What is on disk counts only where it is what the journal says; anything else is made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import orjson

from activities.disk.directory import Directory
from activities.disk.failpoints import failpoint
from activities.manifest.publish import tidy_late
from activities.manifest.reader import listed_page
from activities.manifest.retried_page import RetriedPage
from activities.output.chunk_format import array
from activities.output.names import chunk_name, manifest_name, part_name, rejected_name
from activities.output.page_journal import FileFacts, SavedPage, entries, matches, own_files, record
from activities.output.row_log import DurableRow, RowLog
from activities.tally import Tally
from workflows.models import Page
from workflows.requests import SavedChunk, SavePage

Outcomes = dict[str, int]
"""Rows by what became of them."""

OnMade = Callable[[Outcomes], None]
"""Takes the rows of a chunk that has just come into being, by this attempt and no other."""

Rows = Callable[[], Iterable[DurableRow]]
"""The rows of a page in order, as often as they are asked for."""


def save_chunk(folder: Directory, request: SavePage, tally: Tally | None = None) -> SavedChunk:
    """Make the chunk of a page and its file of rejected records, durable when this returns.

    `file` is None in the result where not every row of the page is durable: the page must be enriched again. `tally`
    counts the rows in the moment in which the chunk comes into being, so whoever asks how often, it counts them once.

    Raises:
        StorageFull: there is no room; nothing half written stays.
    """
    page, generation = request.page, request.batch.generation
    made = partial(tally.count_rows, request.batch.feed) if tally and not request.again else _uncounted
    saved = already_saved(folder, page, generation) or _made(folder, page, generation, made)
    saved = saved or already_saved(folder, page, generation)
    if saved is None:
        return SavedChunk(file=None)
    failpoint("part.remove.before")
    folder.remove(part_name(page.number, generation))
    failpoint("part.remove.after")
    return saved.result()


def already_saved(folder: Directory, page: Page, generation: int = 1) -> SavedPage | None:
    """Return what was saved of a page, where it is still what it was; None where it must be made.

    Costs one listing of the folder for a page that was never saved. Files that are not what they were are removed,
    unless a manifest lists them already: then nothing is touched.
    """
    if not folder.exists(chunk_name(page.number, generation)):
        return None
    if folder.exists(manifest_name(generation)):
        return listed_page(folder, generation, page.number)
    saved = entries(folder, generation).get(page.number)
    if saved is None or matches(folder, saved, generation):
        return saved
    for each in own_files(saved, generation):
        folder.remove(each.file)
    return None


def _uncounted(_: Outcomes) -> None:
    pass


def _made(folder: Directory, page: Page, generation: int, made: OnMade) -> SavedPage | None:
    part = RowLog.existing(folder, page.number, generation)
    if part is None:
        return None
    with part:
        saved = (
            _first_time(folder, page, part, made) if generation == 1 else _retried(folder, page, generation, part, made)
        )
    if saved is not None:
        folder.sync()
        record(folder, saved, generation)
        tidy_late(folder, generation)
    return saved


def _first_time(folder: Directory, page: Page, part: RowLog, made: OnMade) -> SavedPage | None:
    numbers = range(page.first_row, page.first_row + page.records)
    if not all(row in part.done for row in numbers):
        return None
    sorting = _Sorting(lambda: (row for row in part if row.row in numbers))
    chunk = _chunk(folder, chunk_name(page.number), sorting, lambda: made(sorting.outcomes()))
    rejected = _rejected_file(folder, page, sorting.rejected)
    return replace(_saved(page, chunk, sorting), rejected=rejected, tolerated=part.tolerated, by_rule=sorting.by_rule())


def _retried(folder: Directory, page: Page, generation: int, part: RowLog, made: OnMade) -> SavedPage | None:
    retried = RetriedPage.of(folder, page, generation)
    before = retried.before
    if not all(row in part.done for row in retried.fallback_numbers()):
        return None
    sorting = _Sorting(lambda: retried.rows(part))
    counted_before = {"enriched": before.enriched, "not_found": before.not_found, "rejected": 0, "fallback": 0}
    chunk = _chunk(
        folder,
        chunk_name(page.number, generation),
        sorting,
        lambda: made({name: rows - counted_before[name] for name, rows in sorting.outcomes().items()}),
    )
    saved = _saved(page, chunk, sorting)
    return replace(saved, rejected=before.rejected, tolerated=before.tolerated, by_rule=before.by_rule)


def _saved(page: Page, chunk: FileFacts, sorting: _Sorting) -> SavedPage:
    return SavedPage(
        page=page,
        chunk=chunk,
        enriched=sorting.enriched,
        fallback=sorting.by_error.total(),
        by_error=dict(sorted(sorting.by_error.items())),
        not_found=sorting.not_found,
    )


class _Sorting:
    """Rows on their way into their files: counted, and the rejected ones set aside, as they pass."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.enriched = self.not_found = 0
        self.by_error = Counter[str]()
        self.rejected: list[bytes] = []

    def elements(self) -> Iterator[bytes]:
        self.enriched, self.not_found, self.by_error, self.rejected = 0, 0, Counter(), []  # a second pass counts anew
        for row in self._rows():
            if row.kind == "R":
                self.rejected.append(row.element)
                continue
            if row.kind == "E":
                self.enriched += 1
            elif row.kind == "N":
                self.not_found += 1
            else:
                self.by_error[row.error] += 1
            yield row.element

    def by_rule(self) -> dict[str, int]:
        """Return how many records a schema has refused, by the rule that they break."""
        refused = (each for each in map(orjson.loads, self.rejected) if each["reason"] == "schema")
        return dict(sorted(Counter(str(each["rule"]) for each in refused).items()))

    def outcomes(self) -> dict[str, int]:
        return {
            "enriched": self.enriched,
            "not_found": self.not_found,
            "fallback": self.by_error.total(),
            "rejected": len(self.rejected),
        }


def _chunk(folder: Directory, name: str, sorting: _Sorting, made: Callable[[], None]) -> FileFacts:
    return replace(
        _file(folder, name, lambda: array(sorting.elements()), made),
        rows=sorting.enriched + sorting.not_found + sorting.by_error.total(),
    )


def _rejected_file(folder: Directory, page: Page, elements: list[bytes]) -> FileFacts | None:
    if not elements:
        return None
    name = rejected_name(page.number)
    return replace(_file(folder, name, lambda: array(elements)), rows=len(elements))


def _file(
    folder: Directory, name: str, blocks: Callable[[], Iterable[bytes]], made: Callable[[], None] = lambda: None
) -> FileFacts:
    """Make a file, or adopt the one that an attempt has made which overlaps with this one: then it is not `made`."""
    stored = folder.write_once(name, blocks(), sync_folder=False)
    if stored.made:
        made()
    if not stored.same:  # no entry in the journal vouches for what is there: it is an attempt's that ended too early
        folder.remove(name)
        stored = folder.write_once(name, blocks(), sync_folder=False)
    return FileFacts(file=name, rows=0, bytes=stored.size_bytes, sha256=stored.sha256)
