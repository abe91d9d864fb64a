"""One page on its way through the API: what is to be called, what has come back, and what of it is durable."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Self

import orjson

from activities.answered_rows import answered_row
from activities.chunks import already_saved
from activities.elements import element
from activities.enrichment import CallRow, PageOutcome, RowOutcome
from activities.folder import Folder
from activities.generations import fallback_rows
from activities.output_names import part_name
from activities.parts import DurableRow, PartFile
from activities.places import Places
from activities.room import Room
from activities.source_file import Record, Rejected
from activities.tally import tally
from workflows.errors import StorageFull
from workflows.requests import EnrichedPage, EnrichPage

PROBE_CHOICE = 8

_SourceRow = tuple[int, dict[str, str]]
"""A record number and the source columns."""


class PageWork:
    """The rows of one page and their durable answers. Blocking, but for `keep`, which is one small write."""

    def __init__(
        self, request: EnrichPage, folder: Folder, part: PartFile | None, room: Room | None, held: ExitStack
    ) -> None:
        self._request = request
        self._batch_id = request.batch.id
        self._folder = folder
        self._part = part
        self._room = room
        self._full: StorageFull | None = None
        self._held = held
        self._waiting: Iterable[_SourceRow] = ()
        self._called: dict[int, tuple[bytes, dict[str, str]]] = {}

    @classmethod
    def open(cls, places: Places, request: EnrichPage) -> Self:
        """Read the rows of a page, and what of it is already durable from its part file.

        The rows of the first generation are in the pinned source, those of a later one in the chunk before it.

        Raises:
            SourceError: the file is not the one that was identified.
            OutputRefused: the output folder is not ours.
            StorageFull: there is no room.
        """
        batch, page = request.batch, request.page
        with ExitStack() as stack:
            folder = stack.enter_context(places.output(batch))
            if already_saved(folder, page, batch.generation):
                # A late attempt, or a run started again after Temporal lost its state: nothing is left to call.
                return cls(request, folder, None, None, stack.pop_all())
            part = PartFile.open(folder, page.number, generation=batch.generation)
            stack.callback(part.close)
            room = Room.of(folder, part_name(page.number, batch.generation), places.missed, behind=part.size_bytes)
            stack.callback(room.close)
            if batch.generation > 1:
                rows = fallback_rows(folder, page, batch.generation)
                work = cls(request, folder, part, room, stack.pop_all())
                work._waiting = [(row.number, row.source) for row in rows if row.number not in part.done]
                return work
            with places.source(batch) as source:
                columns, records = source.dialect.columns, source.read_page(page)
            work = cls(request, folder, part, room, stack.pop_all())
        work._take(columns, records)
        return work

    @property
    def rows_done(self) -> int:
        """Rows of the page that are durable, rejected ones included."""
        return len(self._part.done) if self._part else 0

    def rows_to_call(self, *, probe: bool) -> Iterator[CallRow]:
        """Yield the rows that have no durable answer; one of them for a probe.

        A probe takes any of the next few, so that one row that the API chokes on does not look like an outage for ever.

        Raises:
            StorageFull: the disk has no room for the answer of one row more.
        """
        waiting = _any_one(islice(self._waiting, PROBE_CHOICE)) if probe else self._waiting
        for number, source in waiting:
            body = orjson.dumps(source)
            self._make_room(number, len(body))
            self._called[number] = body, source
            yield CallRow(number=number, key=f"{self._batch_id}-{number}", body=body)

    def answered_row(self) -> CallRow | None:
        """Return a row of this batch that the API has answered before; None where a short look finds none."""
        if self._part is None:
            return None
        number, generation = self._request.page.number, self._request.batch.generation
        before = [(number, generation - 1)] if generation > 1 else []
        return answered_row(self._folder, self._batch_id, self._part, [*before, (max(1, number - 1), 1), (1, 1)])

    def keep(self, outcome: RowOutcome) -> None:
        """Make the answer of one row durable against a kill of this process."""
        body, source = self._called.pop(outcome.number)
        row = DurableRow(
            row=outcome.number,
            kind="F" if outcome.error else "E",
            error=outcome.error or "",
            statuses=outcome.statuses,
            latency_ms=outcome.latency_ms,
            element=element(body, source, outcome.number, outcome.added, outcome.error),
        )
        self._append(row, sent_bytes=len(body))

    def sync(self) -> None:
        """Make what is durable against a kill durable against a power cut."""
        if self._part:
            self._part.sync()

    def result(self, outcome: PageOutcome, *, probe: bool = False) -> EnrichedPage:
        """Return what became of the page, for the workflow."""
        finished = outcome.outcome == "done"
        return EnrichedPage(
            outcome="api_up" if finished and probe else outcome.outcome,
            rows_done=self.rows_done,
            stats=tally(self._part if self._part and finished and not probe else []),
            detail=outcome.detail,
            retry_after_s=outcome.retry_after_s,
        )

    def close(self) -> None:
        """Close the files."""
        self._held.close()

    def _make_room(self, number: int, sent_bytes: int) -> None:
        if self._full:
            raise self._full
        assert self._room is not None, "a saved page has no rows to call"  # noqa: S101 - a broken invariant, not input
        self._room.expect(number, sent_bytes)

    def _append(self, row: DurableRow, *, sent_bytes: int) -> None:
        """Append a row: on a full disk in the room that is held for those in flight, and no further one is called."""
        part, room = self._part, self._room
        assert part is not None and room is not None, "no row of a saved page is called"  # noqa: S101, PT018 - as above
        try:
            part.append([row])
        except StorageFull as full:
            self._full = full
            room.give_up()
            try:
                part.append([row])
            except StorageFull:
                room.miss(len(row.element))
                raise
        room.kept(row.row, sent_bytes, len(row.element))

    def _take(self, columns: Sequence[str], records: list[Record | Rejected]) -> None:
        part = self._part
        assert part is not None, "a saved page is not read"  # noqa: S101 - a broken invariant, not input
        done = part.done
        rejected = [each for each in records if isinstance(each, Rejected) and each.number not in done]
        if rejected:
            part.append([_rejected_row(each) for each in rejected])
        self._waiting = (
            (each.number, dict(zip(columns, each.values, strict=True)))
            for each in records
            if isinstance(each, Record) and each.number not in done
        )


def _any_one(rows: Iterable[_SourceRow]) -> list[_SourceRow]:
    return random.sample(found, 1) if (found := list(rows)) else []


def _rejected_row(rejected: Rejected) -> DurableRow:
    fields = {
        "_row": rejected.number,
        "line": rejected.line,
        "reason": rejected.reason,
        "detail": rejected.detail,
    }
    return DurableRow(
        row=rejected.number, kind="R", error=rejected.reason, statuses=(), latency_ms=0.0, element=orjson.dumps(fields)
    )
