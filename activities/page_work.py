"""One page on its way through the API: what is to be called, what has come back, and what of it is durable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

import orjson

from activities.chunks import element
from activities.enrichment import CallRow, PageOutcome, RowOutcome
from activities.parts import DurableRow, PartFile
from activities.places import Places
from activities.source_file import Record, Rejected
from activities.tally import tally
from workflows.models import EnrichedPage, EnrichPage


class PageWork:
    """The rows of one page and their durable answers. Blocking, but for `keep`, which is one small write."""

    def __init__(self, request: EnrichPage, columns: tuple[str, ...], part: PartFile, held: ExitStack) -> None:
        self._batch_id = request.batch.id
        self._columns = columns
        self._part = part
        self._held = held
        self._records: list[Record] = []
        self._bodies: dict[int, bytes] = {}

    @classmethod
    def open(cls, places: Places, request: EnrichPage) -> Self:
        """Read the page from the pinned source and what is already durable from its part file.

        Raises:
            SourceError: the file is not the one that was identified.
            OutputRefused: the output folder is not ours.
        """
        with ExitStack() as stack:
            source = stack.enter_context(places.source(request.batch))
            folder = stack.enter_context(places.output(request.batch))
            part = PartFile.open(folder, request.page.number, generation=request.batch.generation)
            stack.callback(part.close)
            work = cls(request, source.dialect.columns, part, stack.pop_all())
        work._take(source.read_page(request.page))
        return work

    @property
    def rows_done(self) -> int:
        """Rows of the page that are durable, rejected ones included."""
        return len(self._part.done)

    def rows_to_call(self, *, probe: bool) -> Iterator[CallRow]:
        """Yield the rows that have no durable answer; only the first one for a probe."""
        done = self._part.done
        for record in [each for each in self._records if each.number not in done][: 1 if probe else None]:
            body = orjson.dumps(dict(zip(self._columns, record.values, strict=True)))
            self._bodies[record.number] = body
            yield CallRow(number=record.number, key=f"{self._batch_id}-{record.number}", body=body)

    def keep(self, outcome: RowOutcome) -> None:
        """Make the answer of one row durable against a kill of this process."""
        body = self._bodies.pop(outcome.number)
        self._part.append(
            [
                DurableRow(
                    row=outcome.number,
                    kind="F" if outcome.error else "E",
                    error=outcome.error or "",
                    statuses=outcome.statuses,
                    latency_ms=outcome.latency_ms,
                    element=element(body, self._columns, outcome.number, outcome.added, outcome.error),
                )
            ]
        )

    def sync(self) -> None:
        """Make what is durable against a kill durable against a power cut."""
        self._part.sync()

    def result(self, outcome: PageOutcome, *, probe: bool = False) -> EnrichedPage:
        """Return what became of the page, for the workflow."""
        finished = outcome.outcome == "done"
        return EnrichedPage(
            outcome="api_up" if finished and probe else outcome.outcome,
            rows_done=self.rows_done,
            stats=tally(self._part) if finished and not probe else tally([]),
            detail=outcome.detail,
            retry_after_s=outcome.retry_after_s,
        )

    def close(self) -> None:
        """Close the files."""
        self._held.close()

    def _take(self, records: list[Record | Rejected]) -> None:
        rejected = [each for each in records if isinstance(each, Rejected) and each.number not in self._part.done]
        self._part.append([_rejected_row(each) for each in rejected])
        self._records = [each for each in records if isinstance(each, Record)]


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
