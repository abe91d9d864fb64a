"""The first rows of a file, tried: their requests and, where they were sent, the answers and what is made of them."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from secrets import token_hex

import orjson

from activities.api.mapping.address import RowCannotBeSent
from activities.api.mapping.request_text import ShownRequest
from activities.api.replies import UNSENT, Meaning, Reply
from activities.api.rows import CallRow
from activities.source.source_file import Record, Rejected
from daemon.batchctl.trial.answers import Outcome, ShownAnswer, chunk_row, outcome_of_reply, shown_answer
from daemon.batchctl.trial.first_rows import FirstRows
from daemon.batchctl.trial.masking import Masking
from daemon.batchctl.trial.recorded_calls import Heard, RecordedCalls, call_bulk, call_row
from daemon.batchctl.trial.tried_api import TriedApi
from daemon.config.feed_settings import check_used_columns
from daemon.config.settings import Settings
from workflows.errors import InvalidCsv
from workflows.ids import printable

NOT_SENT = Outcome(then="", code="", sentence="not sent: the batch would have stopped before this row")
ONE_BY_ONE = "its rows are called one by one ({why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call, or what became of one row.

    `rows` are the numbers of its records, `line` the first one's in the file; `is_bulk` a call for many rows. What
    there is not is None or empty: a row that a bulk call answered has no request of its own. `element` is the row as
    it would stand in the chunk or, of a record that is `rejected`, in the file of those.
    """

    rows: tuple[int, ...]
    line: int
    is_bulk: bool = False
    rejected: str = ""
    request: ShownRequest | None = None
    answer: ShownAnswer | None = None
    outcome: Outcome | None = None
    element: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing of it would fall back, or let the batch pause or wait."""
        return self.outcome is None or self.outcome.is_final


def check_columns(rows: FirstRows, api: TriedApi, settings: Settings) -> None:
    """Hold the columns of a file against those that its API needs.

    Raises:
        InvalidCsv: some are missing, so the file would be refused; all are named, with what may be meant.
    """
    try:
        check_used_columns(rows.columns, settings)
    except InvalidCsv as error:
        lower = {each.lower(): each for each in rows.names}
        missing = [each.lower() for each in api.needed_columns if each not in rows.names]
        close = [lower[found] for each in missing for found in difflib.get_close_matches(each, lower, n=1)]
        meant = f"; did you mean {', '.join(map(printable, dict.fromkeys(close)))}?" if close else ""
        raise InvalidCsv(f"{printable(rows.file)}: {error}{meant}") from error


async def steps_unsent(rows: FirstRows, api: TriedApi) -> AsyncIterator[Step]:
    """Yield the requests as they would go out; nothing is sent."""
    calls = [rows.call_row(each) for each in rows.records if isinstance(each, Record)]
    lines = {each.number: each.line for each in rows.records}
    in_bulk = set[int]()
    for group in _groups(calls, api.bulk_size):
        step = _bulk_step(group, lines, api)
        in_bulk |= set(step.rows) if step.request else set()
        yield step
    for record in rows.records:
        if isinstance(record, Rejected):
            yield _rejected(record)
        elif record.number not in in_bulk:
            yield _row_step(rows.call_row(record), rows, record.line, api)


async def steps_sent(rows: FirstRows, api: TriedApi) -> AsyncIterator[Step]:
    """Call the API for the rows, one call after the other, and yield each with what came of it.

    Calls have keys of their own: an API that remembers answers by their keys must not answer the batch with these.
    """
    prefix = f"try-{token_hex(3)}-"
    calls = [rows.call_row(each, key_prefix=prefix) for each in rows.records if isinstance(each, Record)]
    masking = Masking(api.secrets().values())
    async with _open_calls(api) as open_calls:
        sending = _Sending(api, open_calls, masking, rows)
        for group in _groups(calls, api.bulk_size):
            if sending.goes_on:
                yield await sending.bulk(group)
        waiting = {each.number: each for each in calls}
        for record in rows.records:
            yield _rejected(record) if isinstance(record, Rejected) else await sending.row(waiting[record.number])


class _Sending:
    def __init__(self, api: TriedApi, calls: RecordedCalls, masking: Masking, rows: FirstRows) -> None:
        self.goes_on = True
        self._api, self._calls, self._masking, self._rows = api, calls, masking, rows
        self._lines = {each.number: each.line for each in rows.records}
        self._answered: dict[int, Heard] = {}
        """What a bulk call said of a row."""

    async def bulk(self, rows: Sequence[CallRow]) -> Step:
        step = _bulk_step(rows, self._lines, self._api)
        heard, own = await call_bulk(self._calls, rows)
        self._masking.add(self._calls.log.secrets)
        self._answered |= {row.number: each for row, each in zip(rows, own, strict=True) if each is not None}
        outcome = outcome_of_reply(heard, self._api, self._masking)
        self.goes_on = outcome.goes_on
        if outcome.goes_on:
            outcome = replace(outcome, sentence=ONE_BY_ONE.format(why=outcome.sentence), is_final=True)
        return replace(
            step,
            answer=shown_answer(heard, self._api, self._masking) if step.request else None,
            outcome=None if heard.reply.meaning is Meaning.DONE else outcome,
        )

    async def row(self, row: CallRow) -> Step:
        line = self._lines[row.number]
        if (heard := self._answered.get(row.number)) is not None:
            return self._step(row, heard, None)
        step = _row_step(row, self._rows, line, self._api)
        if step.outcome is not None:
            return step
        if not self.goes_on:
            return Step(rows=step.rows, line=line, request=step.request, outcome=NOT_SENT)
        heard = await call_row(self._calls, row)
        self._masking.add(self._calls.log.secrets)
        return self._step(row, heard, step.request)

    def _step(self, row: CallRow, heard: Heard, request: ShownRequest | None) -> Step:
        outcome = outcome_of_reply(heard, self._api, self._masking)
        self.goes_on = self.goes_on and outcome.goes_on
        return Step(
            rows=(row.number,),
            line=self._lines[row.number],
            request=request,
            answer=shown_answer(heard, self._api, self._masking) if request else None,
            outcome=outcome,
            element=chunk_row(heard.reply, row.number, self._rows, self._api, self._masking),
        )


@asynccontextmanager
async def _open_calls(api: TriedApi) -> AsyncIterator[RecordedCalls]:
    calls = api.calls()
    try:
        yield calls
    finally:
        await calls.aclose()


def _bulk_step(rows: Sequence[CallRow], lines: dict[int, int], api: TriedApi) -> Step:
    numbers = tuple(each.number for each in rows)
    step = Step(rows=numbers, line=lines[numbers[0]], is_bulk=True)
    try:
        return replace(step, request=api.bulk_request([each.values() for each in rows], rows))
    except RowCannotBeSent as error:
        _, outcome = _unsent(error, api)
        return replace(step, outcome=replace(outcome, sentence=ONE_BY_ONE.format(why=str(error)), is_final=True))


def _row_step(row: CallRow, rows: FirstRows, line: int, api: TriedApi) -> Step:
    try:
        return Step(rows=(row.number,), line=line, request=api.row_request(row.values(), row))
    except RowCannotBeSent as error:
        reply, outcome = _unsent(error, api)
        element = chunk_row(reply, row.number, rows, api, Masking())
        return Step(rows=(row.number,), line=line, outcome=outcome, element=element)


def _unsent(error: RowCannotBeSent, api: TriedApi) -> tuple[Reply, Outcome]:
    reply = Reply(Meaning.FALLBACK, UNSENT, error.code, detail=str(error), sent=False)
    return reply, outcome_of_reply(Heard(reply=reply), api, Masking())


def _rejected(record: Rejected) -> Step:
    element = orjson.dumps(record.fields()).decode()
    return Step(rows=(record.number,), line=record.line, rejected=f"{record.reason}: {record.detail}", element=element)


def _groups(rows: Sequence[CallRow], size: int) -> Iterator[Sequence[CallRow]]:
    """Yield the rows of each bulk call; none where there are no such calls."""
    for start in range(0, len(rows) if size else 0, size or 1):
        yield rows[start : start + size]
