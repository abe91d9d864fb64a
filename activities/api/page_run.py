"""The calls of one page: as many at once as the gate admits, each row tried again where that may help.

A page queues up at the gate and is told when it may begin a call; the reply comes to a callback, which makes the answer
durable before the gate lets anyone begin the next. So a row costs no task and no future. Only judging a row that used
up its attempts has to wait for things, and is a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from activities.api.bulk import bulk_answers, bulk_body
from activities.api.outage_check import judge_failed_row
from activities.api.refusals import RefusedRows
from activities.api.replies import CERTIFICATE, STALE, Meaning, Reply
from activities.api.rows import DONE, CallRow, PageOutcome, RowOutcome, outcome_of
from activities.api.tries import Try

if TYPE_CHECKING:
    from activities.api.client import EnrichmentClient

GRACE_S = 1.0
"""Calls in flight may finish for this long when the page is called off."""


T = TypeVar("T")


class PageCalls:
    """One run over the rows of a page, and its caller at the gate."""

    def __init__(
        self,
        client: EnrichmentClient,
        batch_id: str,
        rows: Iterator[CallRow],
        keep: Callable[[RowOutcome], None],
        lost: Callable[[], bool],
    ) -> None:
        self._client = client
        self._batch_id = batch_id
        self._rows = rows
        self._keep = keep
        self._lost = lost
        self._bulk_size = client.options.bulk_size if client.options.bulk_url else 0
        self._most_under_way = client.concurrency * max(1, self._bulk_size)
        self.place = client.next_place()
        self._ahead: CallRow | None = None
        """The next row that no call was made for yet."""
        self._again: deque[Try] = deque()
        """Rows that are due for a call of their own: after a failed one, or after a bulk call without them."""
        self._queued = False
        self._calls = 0
        self._under_way = 0
        """Rows begun and not finished: in a call, between two calls, or being judged."""
        self.stopped: PageOutcome | None = None
        self._abandoned = False
        self._error: BaseException | None = None
        self._judges: set[asyncio.Task[None]] = set()
        self._refused = RefusedRows(client, batch_id, self)
        self._over = asyncio.Event()

    async def run(self) -> PageOutcome:
        """Run until every row has its answer, or the page is stopped and its last call has ended.

        Cancelled, it gives the calls in flight a second. An error of `rows` or `keep` stops it and is raised.
        """
        try:
            self._look_ahead()
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
            self._client.rows_under_way -= self._under_way
        if self._error is not None:
            raise self._error
        return self.stopped or DONE

    def begin_call(self, *, saturated: bool) -> bool:
        """Begin one call, if there is one to make. Called by the gate."""
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
        self._look_ahead()
        self.note_under_way(len(rows))
        if self._bulk_size:
            self._begin_bulk(rows, saturated=saturated)
        else:
            self._begin_row(Try(row), saturated=saturated)
        return True

    def _begin_row(self, due: Try, *, saturated: bool) -> None:
        if not due.statuses:
            self._client.budget.earn()
        ended = partial(self._ended, self._settle, due, saturated)
        self._client.http.begin_row(due.row.body, due.row.key, ended, anew=due.was_stale)
        self._calls += 1

    def _ended(self, settle: Callable[[T, Reply], None], called: T, saturated: bool, reply: Reply) -> None:
        """Act on a reply, then let the next call begin: what came is durable before another one is on its way."""
        self._calls -= 1
        try:
            self._client.learn(reply, saturated=saturated, called=called)
            if not self._abandoned:
                settle(called, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, `run` raises it
            self._fail(error)
        self._client.gate.leave(self._batch_id)
        if self._refused.rows:
            self.queue_up()
        self._check_over()

    def _settle(self, due: Try, reply: Reply) -> None:
        tried = Try(due.row, (*due.statuses, reply.status), due.last)
        if reply.meaning is Meaning.DONE:
            self.finish(tried, reply)
        elif reply.status == CERTIFICATE:
            self.stop(PageOutcome("api_refused", reply.detail))
        elif reply.may_be_settings:
            self._refused.take(tried, reply)
        elif reply.meaning is not Meaning.RETRY:
            self.finish(tried, reply)
        elif self._client.options.outage == "wait":
            self._settle_or_wait(tried, reply)
        elif tried.attempts < self._client.options.attempts and self._client.budget.spend(sent=reply.sent):
            self.back_off(tried, reply)
        else:
            self.finish(tried, reply)

    def _settle_or_wait(self, tried: Try, reply: Reply) -> None:
        """Try a row again, judge it where it used up its attempts, or leave it to wait for the API."""
        client = self._client
        if client.circuit.is_open:
            self.stop(client.down())
        elif reply.status == STALE:
            self.back_off(tried, reply)
        elif tried.last or tried.attempts >= client.options.attempts:
            self.attend(judge_failed_row(client, self, tried, reply))
        else:
            self.back_off(tried, reply, patient=not client.budget.spend(sent=reply.sent))

    def finish(self, tried: Try, reply: Reply) -> None:
        """Keep the final answer of a row."""
        self._keep(outcome_of(tried.row, tried.statuses, reply))
        self.note_under_way(-1)
        if reply.meaning is Meaning.DONE:
            self._client.answered_row = tried.row
            if self._refused.rows:
                self._refused.finish()
        self.queue_up()

    def back_off(self, tried: Try, reply: Reply, *, patient: bool = False) -> None:
        """Call a row again after a rest."""
        rest_s = tried.rest_s(reply, self._client.jitter, patient=patient)
        asyncio.get_running_loop().call_later(rest_s, self.due_again, tried)

    def due_again(self, due: Try) -> None:
        """Call a row again."""
        self._again.append(due)
        self.queue_up()

    def attend(self, judging: Coroutine[None, None, None]) -> None:
        """Run a judgement to its end; it is given up where the page stops, and its error ends the page."""
        judge = asyncio.get_running_loop().create_task(judging)
        self._judges.add(judge)
        judge.add_done_callback(self._attended)

    def _attended(self, judge: asyncio.Task[None]) -> None:
        self._judges.discard(judge)
        if not judge.cancelled() and (error := judge.exception()) is not None:
            self._fail(error)
        self._check_over()

    def _begin_bulk(self, rows: list[CallRow], *, saturated: bool) -> None:
        self._client.http.begin_bulk(bulk_body(rows), partial(self._ended, self._settle_bulk, rows, saturated))
        self._calls += 1

    def _settle_bulk(self, rows: list[CallRow], reply: Reply) -> None:
        """Keep the answers of a bulk call; the rows without one get a call of their own."""
        found = bulk_answers(reply)
        for row in rows:
            answer = found.get(row.key)
            if answer is not None:
                own = Reply(Meaning.DONE, "200", "", answer=answer, latency_ms=reply.latency_ms)
                self.finish(Try(row, ("200",)), own)
            else:
                self._again.append(Try(row))
        if reply.status == CERTIFICATE:
            self.stop(PageOutcome("api_refused", reply.detail))
        elif self._client.options.outage == "wait" and self._client.circuit.is_open:
            self.stop(self._client.down())
        else:
            self.queue_up()

    def _look_ahead(self) -> None:
        self._ahead = next(self._rows, None)

    def queue_up(self) -> None:
        """Be in the queue at the gate, if there is a call to make."""
        to_call = self._again or (self._ahead is not None and self._under_way < self._most_under_way)
        if to_call and not self._queued and self.stopped is None:
            self._queued = True
            self._client.gate.queue_up(self._batch_id, self)

    def note_under_way(self, rows: int) -> None:
        """Note that `rows` more are under way."""
        self._under_way += rows
        self._client.rows_under_way += rows

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self.stop(DONE)

    def stop(self, outcome: PageOutcome) -> None:
        """Begin no further call; rows that wait are left."""
        self.stopped = self.stopped or outcome
        for judge in self._judges:
            if judge is not asyncio.current_task():
                judge.cancel()
        self._check_over()

    def _check_over(self) -> None:
        if self._calls == 0 and (self.stopped is not None or (self._ahead is None and self._under_way == 0)):
            self._refused.judge(no_more_rows=True)
            if self.stopped is not None or not self._refused.rows:
                self._over.set()
