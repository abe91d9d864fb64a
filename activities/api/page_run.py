"""The calls of one page: as many at once as the scheduler admits, each row tried again where that may help.

The scheduler tells a page when it may begin a call; the reply comes to a callback, which makes the answer
durable before anyone may begin the next. So a row costs no task and no future. Only to find out why a row used
up its attempts has to wait for things, and is a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from activities.api.checks.outage_check import Checks
from activities.api.checks.refusals import RefusedRows
from activities.api.checks.slow_downs import SlowDowns, Verdict
from activities.api.replies import CERTIFICATE, STALE, UNSENT, Meaning, Reply
from activities.api.retries import Attempt
from activities.api.rows import DONE, CallRow, PageOutcome, RowCalls, RowOutcome, outcome_of
from activities.api.session import Session

GRACE_S = 1.0
"""Calls in flight may finish for this long when the page is called off."""

T = TypeVar("T")


class PageWork(NamedTuple):
    """What a page wants: `rows` called by `calls`, each answer handed to `keep`, until `lost` says to begin no more."""

    rows: Iterator[CallRow]
    calls: RowCalls
    keep: Callable[[RowOutcome], None]
    lost: Callable[[], bool]


class PageCalls:
    """One run over the rows of a page, and its caller of the scheduler."""

    def __init__(self, session: Session, slow_downs: SlowDowns, batch_id: str, work: PageWork) -> None:
        self._session = session
        self._slow_downs = slow_downs
        self._batch_id = batch_id
        self._rows, self._row_calls, self._keep, self._lost = work
        self._bulk_size = self._row_calls.bulk_size
        self.sequence = session.next_sequence()
        self._ahead: CallRow | None = None
        """The next row that no call was made for yet."""
        self._again: deque[Attempt] = deque()
        """Rows that are due for a call of their own: after a failed one, or after a bulk call without them."""
        self._queued = False
        self._calls = 0
        self._under_way = 0
        """Rows begun and not finished: in a call, between two calls, or being checked."""
        self.stopped: PageOutcome | None = None
        self._abandoned = False
        self._error: BaseException | None = None
        self.checks = Checks(self._fail, self._check_over)
        self._refused = RefusedRows(session, batch_id, self)
        self._over = asyncio.Event()

    @property
    def _most_under_way(self) -> int:
        return self._session.options.concurrency * (self._bulk_size or 1)

    async def run(self) -> PageOutcome:
        """Run until every row has its answer, or the page is stopped and its last call has ended.

        Cancelled, it gives the calls in flight a second. An error of `rows` or `keep` stops it and is raised.
        """
        try:
            self._ahead = next(self._rows, None)
            self.queue_up()
            self._check_over()
            await self._over.wait()
        except asyncio.CancelledError:
            self.stop(DONE)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await self._over.wait()
            raise
        finally:
            self._abandoned = True
            self._session.rows_under_way -= self._under_way
        if self._error is not None:
            raise self._error
        return self.stopped or DONE

    def begin_call(self, *, saturated: bool) -> bool:
        """Begin one call, if there is one to make. Called by the scheduler."""
        try:
            self._queued = self.stopped is None and self._begin(saturated=saturated)
        except Exception as error:  # noqa: BLE001 - whatever it is, `run` raises it
            self._queued = False
            self._fail(error)
        return self._queued

    def _begin(self, *, saturated: bool) -> bool:
        if self._lost():
            self.stop(DONE)
            return False
        if self._refused.rows and self._refused.hold_back(self._calls, self._most_under_way):
            return False
        if self._again:
            self._begin_row(self._again.popleft(), saturated=saturated)
            return True
        row = self._ahead
        if row is None or self._under_way >= self._most_under_way:
            return False
        rows = [row, *islice(self._rows, self._bulk_size - 1)] if self._bulk_size else [row]
        self._ahead = next(self._rows, None)
        self.note_under_way(len(rows))
        if self._bulk_size:
            self._row_calls.begin_bulk(rows, partial(self._bulk_ended, rows, saturated))
            self._calls += 1
        else:
            self._begin_row(Attempt(row), saturated=saturated)
        return True

    def _begin_row(self, due: Attempt, *, saturated: bool) -> None:
        if not due.statuses:
            self._session.budget.earn()
        else:
            self._session.tally.retries += 1
        ended = partial(self._ended, self._settle, due, saturated)
        self._row_calls.begin_row(due.row, ended, anew=due.was_stale)
        self._calls += 1

    def _ended(self, settle: Callable[[T, Reply], None], called: T, saturated: bool, reply: Reply) -> None:
        """Act on a reply, then let the next call begin: what came is durable before another one is on its way."""
        self._calls -= 1
        try:
            self._session.learn(reply, saturated=saturated, called=called)
            if not self._abandoned:
                settle(called, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, `run` raises it
            self._fail(error)
        self._session.scheduler.leave(self._batch_id)
        if self._refused.rows:
            self.queue_up()
        self._check_over()

    def _settle(self, due: Attempt, reply: Reply) -> None:
        statuses = (*due.statuses, reply.status) if reply.status != UNSENT else due.statuses
        tried = Attempt(due.row, statuses, due.last)
        if reply.is_good:
            self.finish(tried, reply)
        elif reply.status == CERTIFICATE or reply.meaning is Meaning.PAUSE:
            self.stop(PageOutcome("api_refused", reply.detail))
        elif reply.meaning is Meaning.WAIT:
            self._slow_downs.stop_pages()
        elif reply.may_be_settings:
            self._refused.take(tried, reply)
        elif reply.meaning is Meaning.RETRY and self._session.options.outage == "wait":
            self._settle_or_wait(tried, reply)
        elif reply.meaning is Meaning.RETRY and self._may_retry(tried, reply):
            self.back_off(tried, reply)
        else:
            self.finish(tried, reply)

    def _may_retry(self, tried: Attempt, reply: Reply) -> bool:
        return tried.attempts < self._session.options.attempts and self._session.budget.spend(sent=reply.sent)

    def _settle_or_wait(self, tried: Attempt, reply: Reply) -> None:
        """Try a row again, check why it fails where it used up its attempts, or leave it to wait for the API."""
        if self._session.circuit.is_open:
            self.stop(self._session.down())
        elif reply.status == STALE:
            self.back_off(tried, reply)
        elif tried.last or tried.attempts >= self._session.options.attempts:
            self.checks.run(self._check_failed_row(tried, reply))
        else:
            self.back_off(tried, reply, patient=not self._session.budget.spend(sent=reply.sent))

    async def _check_failed_row(self, tried: Attempt, reply: Reply) -> None:
        """Call a row that used up its attempts once more when the API answers others; if that fails too, it is bad."""
        verdict = await self._slow_downs.why_failed(reply)
        if verdict is Verdict.BUSY:
            self.back_off(tried._replace(last=False), reply)
        if verdict is Verdict.DOWN or (verdict is Verdict.BUSY and self._session.circuit.is_open):
            self.stop(self._session.down())
        elif verdict is Verdict.ROW and tried.last and self.stopped is None:
            self.finish(tried, reply)
        elif verdict is Verdict.ROW and reply.retry_after_s:
            self.back_off(tried._replace(last=True), reply)
        elif verdict is Verdict.ROW:
            self.due_again(tried._replace(last=True))

    def finish(self, tried: Attempt, reply: Reply) -> None:
        """Keep the final answer of a row."""
        self._keep(outcome_of(tried.row, tried.statuses, reply))
        self.note_under_way(-1)
        if reply.meaning is Meaning.DONE:
            self._session.answered_row = tried.row
        if reply.is_good and self._refused.rows:
            self._refused.finish()
        self.queue_up()

    def back_off(self, tried: Attempt, reply: Reply, *, patient: bool = False) -> None:
        """Call a row again after a rest."""
        rest_s = tried.rest_s(reply, self._session.jitter, patient=patient)
        asyncio.get_running_loop().call_later(rest_s, self.due_again, tried)

    def due_again(self, due: Attempt) -> None:
        """Call a row again."""
        self._again.append(due)
        self.queue_up()

    def _bulk_ended(self, rows: list[CallRow], saturated: bool, reply: Reply, own: Sequence[Reply | None]) -> None:
        self._ended(partial(self._settle_bulk, own), rows, saturated, reply)

    def _settle_bulk(self, own: Sequence[Reply | None], rows: list[CallRow], reply: Reply) -> None:
        """Keep the answers of a bulk call; the rows without one get a call of their own."""
        for row, answer in zip(rows, own, strict=True):
            if answer is None:
                self._again.append(Attempt(row))
            else:
                self.finish(Attempt(row, (answer.status,)), answer)
        if reply.status == CERTIFICATE or reply.meaning is Meaning.PAUSE:
            self.stop(PageOutcome("api_refused", reply.detail))
        elif reply.meaning is Meaning.WAIT:
            self._slow_downs.stop_pages()
        elif self._session.options.outage == "wait" and self._session.circuit.is_open:
            self.stop(self._session.down())
        else:
            self.queue_up()

    def queue_up(self) -> None:
        """Be in the queue of the scheduler, if there is a call to make."""
        to_call = self._again or (self._ahead is not None and self._under_way < self._most_under_way)
        if to_call and not self._queued and self.stopped is None:
            self._queued = True
            self._session.scheduler.queue_up(self._batch_id, self)

    def note_under_way(self, rows: int) -> None:
        """Note that `rows` more are under way."""
        self._under_way += rows
        self._session.rows_under_way += rows

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self.stop(DONE)

    def stop(self, outcome: PageOutcome) -> None:
        """Begin no further call; rows that wait are left."""
        self.stopped = self.stopped or outcome
        self.checks.cancel()
        self._check_over()

    def _check_over(self) -> None:
        if self._calls == 0 and (self.stopped is not None or (self._ahead is None and self._under_way == 0)):
            self._refused.check(no_more_rows=True)
            if self.stopped is not None or not self._refused.rows:
                self._over.set()
