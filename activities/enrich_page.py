"""One page on its way through the API: what is to be called, what has come back, and what of it is durable."""

from __future__ import annotations

import contextlib
import random
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Self

import orjson

from activities.answered_rows import answered_row
from activities.api.client import CallRow, PageOutcome, RowOutcome
from activities.batch_schema import BatchSchema
from activities.disk.directory import Directory
from activities.disk.failpoints import failpoint
from activities.disk.held_space import HeldSpace
from activities.manifest.next_generation import fallback_rows
from activities.manifest.publish import tidy_late
from activities.manifest.reader import listed_columns
from activities.output.call_stats import call_stats
from activities.output.chunk_format import FALLBACK, element, failed_element
from activities.output.names import part_name
from activities.output.row_log import DurableRow, RowLog, kind_of
from activities.page_rows import HeldRow, PageRows, held
from activities.save_page import already_saved
from activities.source.source_file import Record, Rejected
from activities.workspace import Workspace
from workflows.errors import BatchdError, StorageFull
from workflows.requests import EnrichedPage, EnrichPage

PROBE_CHOICE = 8


class OpenPage:
    """The rows of one page and their durable answers. Blocking, but for `keep`, which is one small write."""

    def __init__(
        self,
        workspace: Workspace,
        request: EnrichPage,
        folder: Directory,
        held: ExitStack,
        rows: tuple[RowLog, HeldSpace] | None = None,
    ) -> None:
        self._workspace = workspace
        self._request = request
        self._batch_id = request.batch.id
        self._folder = folder
        self._part = rows[0] if rows else None
        self._space = rows[1] if rows else None
        self._full: StorageFull | None = None
        self._held = held
        self._rows = PageRows()
        self._waiting: deque[HeldRow] = deque()
        self._called: dict[int, tuple[bytes, bytes]] = {}

    @classmethod
    def open(cls, workspace: Workspace, request: EnrichPage) -> Self:
        """Read the rows of a page, and what of it is already durable from its part file.

        The rows of the first generation are in the pinned source, those of a later one in the chunk before it.

        Raises:
            SourceError: the file is not the one that was identified.
            OutputRefused: the output folder is not ours.
            StorageFull: there is no room.
            Unprepared: what `prepare_batch` left is gone.
        """
        batch, page = request.batch, request.page
        with ExitStack() as stack:
            folder = stack.enter_context(workspace.output(batch))
            if already_saved(folder, page, batch.generation):
                # A late attempt, or a run started again after Temporal lost its state: nothing is left to call.
                return cls(workspace, request, folder, stack.pop_all())
            part = RowLog.open(folder, page.number, generation=batch.generation)
            stack.callback(part.close)
            space = HeldSpace.open(
                folder, part_name(page.number, batch.generation), workspace.missed, behind=part.size_bytes
            )
            stack.callback(space.close)
            work = cls(workspace, request, folder, stack.pop_all(), (part, space))
        try:
            work._read()
        except BaseException:
            work.close()
            raise
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
        if probe:
            self._waiting = deque(_any_one(islice(self._waiting, PROBE_CHOICE)))
        while self._waiting:
            number, cells = self._waiting.popleft()
            source = self._rows.source(cells)
            body = orjson.dumps(source)
            self._hold_space(number, len(body))
            self._called[number] = body, cells
            yield self._rows.call(number, f"{self._batch_id}-{number}", source, body)

    def answered_row(self) -> CallRow | None:
        """Return a row of this batch that the API has answered before; None where the first few pages hold none."""
        if self._part is None:
            return None
        number, generation = self._request.page.number, self._request.batch.generation
        before = [(number, generation - 1)] if generation > 1 else []
        pages = [*before, (max(1, number - 1), 1), (1, 1)]
        return answered_row(self._folder, self._batch_id, self._part, pages, call=self._rows.call)

    def keep(self, outcome: RowOutcome) -> None:
        """Make the answer of one row durable against a kill of this process."""
        failpoint("call.answered")
        body, cells = self._called.pop(outcome.number)
        row = DurableRow(
            row=outcome.number,
            kind=kind_of(outcome.error),
            error=outcome.error or "",
            statuses=outcome.statuses,
            latency_ms=outcome.latency_ms,
            element=self._element(body, self._rows.source(cells), outcome),
        )
        self._append(row, sent_bytes=len(body))

    def _element(self, body: bytes, source: dict[str, str], outcome: RowOutcome) -> bytes:
        if outcome.error is None:
            return element(body, source, outcome.number, self._rows.news(source, outcome.added or {}))
        api = self._request.api
        return failed_element(body, source, outcome.number, outcome.error, api.fallback if api else FALLBACK)

    def sync(self) -> None:
        """Make what is durable against a kill durable against a power cut.

        Raises:
            TransientError: the part file was deleted; `close` puts what it holds into a new one.
        """
        if self._part:
            self._part.check_not_deleted()
            self._part.sync()

    def result(self, outcome: PageOutcome, *, probe: bool = False) -> EnrichedPage:
        """Return what became of the page, for the workflow."""
        finished = outcome.outcome == "done"
        return EnrichedPage(
            outcome="api_up" if finished and probe else outcome.outcome,
            rows_done=self.rows_done,
            stats=call_stats(self._part if self._part and finished and not probe else []),
            detail=outcome.detail,
            retry_after_s=outcome.retry_after_s,
        )

    def close(self) -> None:
        """Close the files. Answers whose part file was deleted under the work go into a new one, so far as they can."""
        try:
            with contextlib.suppress(BatchdError):
                if self._part and self._part.is_deleted and self._request.batch.generation == 1:
                    self._keep_again(self._part)
                elif self._part:
                    tidy_late(self._folder, self._request.batch.generation)
        finally:
            self._held.close()

    def _keep_again(self, deleted: RowLog) -> None:
        """Copy what a deleted part file holds, unless another attempt has saved the page and so removed it."""
        page = self._request.page
        with self._workspace.output(self._request.batch) as folder:
            if already_saved(folder, page):
                return
            with RowLog.open(folder, page.number) as part:
                part.append(row for row in deleted if row.row not in part.done)
                if deleted.tolerated:
                    part.keep_tolerated(deleted.tolerated)
                part.sync()
            if already_saved(folder, page):  # meanwhile
                folder.remove(part_name(page.number))

    def _hold_space(self, number: int, sent_bytes: int) -> None:
        if self._full:
            raise self._full
        assert self._space is not None, "a saved page has no rows to call"  # noqa: S101 - a broken invariant, not input
        self._space.expect(number, sent_bytes)

    def _append(self, row: DurableRow, *, sent_bytes: int) -> None:
        """Append a row: on a full disk in the space held for those in flight, and no further one is called."""
        part, space = self._part, self._space
        assert part is not None and space is not None, "no row of a saved page is called"  # noqa: S101, PT018 - as above
        try:
            part.append([row])
        except StorageFull as full:
            self._full = full
            space.give_up()
            try:
                part.append([row])
            except StorageFull:
                space.miss(len(row.element))
                raise
        space.kept(row.row, sent_bytes, len(row.element))

    def _read(self) -> None:
        """Read the rows that have no durable answer, and make those durable that are no valid rows."""
        batch, page, part = self._request.batch, self._request.page, self._part
        assert part is not None, "a saved page is not read"  # noqa: S101 - a broken invariant, not input
        if batch.generation > 1:
            columns = listed_columns(self._folder, batch.generation - 1)
            self._rows = PageRows(columns, BatchSchema.open(self._folder, columns, batch.csv))
            again = (row for row in fallback_rows(self._folder, page, batch.generation) if row.number not in part.done)
            self._waiting.extend(self._rows.again(row.number, row.source) for row in again)
            return
        rejected: list[DurableRow] = []
        with self._workspace.source(batch) as source:
            schema = BatchSchema.open(self._folder, source.dialect.columns, batch.csv)
            self._rows = PageRows(source.dialect.columns, schema)
            records = source.rows_of(page, part.keep_tolerated)
            for row in schema.sorted_out(self._folder, page, records) if schema else records:
                if row.number in part.done:
                    continue
                if isinstance(row, Record):
                    self._waiting.append(held(row.number, row.values))
                else:
                    rejected.append(_rejected_row(row))
        if rejected:
            part.append(rejected)
        failpoint("page.read")


def _any_one(rows: Iterable[HeldRow]) -> list[HeldRow]:
    return random.sample(found, 1) if (found := list(rows)) else []


def _rejected_row(rejected: Rejected) -> DurableRow:
    return DurableRow(
        row=rejected.number,
        kind="R",
        error=rejected.reason,
        statuses=(),
        latency_ms=0.0,
        element=orjson.dumps(rejected.fields()),
    )
