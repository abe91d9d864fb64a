"""The calls of one page: as many at once as the gate admits, each row tried again where that may help.

A few runners pull rows from the page; a runner that waits at the gate or between attempts is idle and can be ended at
once, one that is in a call is let finish for a second so that its answer is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from activities.answers import Meaning, Reply
from activities.rows import DONE, CallRow, PageOutcome, RowOutcome

if TYPE_CHECKING:
    from activities.enrichment import EnrichmentClient

GRACE_S = 1.0
"""Calls in flight may finish for this long when the page is called off."""

JUDGING_S = 0.02
FIRST_BACKOFF_S = 0.05
FIRST_SLOW_DOWN_S = 1.0
LONGEST_BACKOFF_S = 10.0


class PageCalls:
    """One run over the rows of a page."""

    def __init__(
        self,
        client: EnrichmentClient,
        batch_id: str,
        rows: Iterator[CallRow],
        keep: Callable[[RowOutcome], None],
    ) -> None:
        self._client = client
        self._batch_id = batch_id
        self._rows = rows
        self._keep = keep
        self._place = client.next_place()
        self._stopped: PageOutcome | None = None
        self._idle: set[asyncio.Task[None]] = set()

    async def run(self) -> PageOutcome:
        """Run until every row has its answer or the page is stopped."""
        runners = {asyncio.create_task(self._runner()) for _ in range(self._client.concurrency)}
        try:
            await self._until_done_or_stopped(runners)
        finally:
            await self._end(runners)
        errors = [error for each in runners if not each.cancelled() and (error := each.exception()) is not None]
        if errors:
            raise errors[0]
        return self._stopped or DONE

    async def _until_done_or_stopped(self, runners: set[asyncio.Task[None]]) -> None:
        left = runners
        while left and self._stopped is None:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_EXCEPTION)
            if any(not each.cancelled() and each.exception() for each in done):
                return

    async def _end(self, runners: set[asyncio.Task[None]]) -> None:
        if all(runner.done() for runner in runners):
            return
        self._stopped = self._stopped or DONE
        for runner in self._idle:
            runner.cancel()
        left = {runner for runner in runners if not runner.done()}
        if left:
            _, left = await asyncio.wait(left, timeout=GRACE_S)
        for runner in left:
            runner.cancel()
        if left:
            await asyncio.wait(left)

    def _stop(self, outcome: PageOutcome) -> None:
        """Start no further call; runners that wait are ended."""
        if self._stopped is None:
            self._stopped = outcome
            for runner in self._idle:
                runner.cancel()

    async def _runner(self) -> None:
        options = self._client.options
        while self._stopped is None:
            rows = list(islice(self._rows, options.bulk_size if options.bulk_url else 1))
            if not rows:
                return
            if options.bulk_url:
                rows = await self._bulk(rows)
            self._client.rows_under_way += 1
            try:
                for row in rows:
                    await self._row(row)
            finally:
                self._client.rows_under_way -= 1

    async def _row(self, row: CallRow) -> None:
        client = self._client
        statuses: list[str] = []
        client.budget.earn()
        while (reply := await self._call(row)) is not None:
            statuses.append(reply.status)
            if reply.meaning is Meaning.REFUSED:
                self._stop(PageOutcome("api_refused", reply.detail))
                return
            if reply.meaning is not Meaning.RETRY:
                self._finish(row, reply, statuses)
                return
            if client.options.outage == "wait" and client.circuit.is_open:
                self._stop(client.down())
                return
            if len(statuses) >= client.options.attempts or not client.budget.spend():
                if client.options.outage == "wait" and await self._api_is_down(reply):
                    self._stop(client.down())
                elif self._stopped is None:
                    self._finish(row, reply, statuses)
                return
            await self._back_off(reply, len(statuses))

    async def _api_is_down(self, reply: Reply) -> bool:
        """Judge a row that used up its attempts, once the rows beside it have told whether the API answers them.

        Only a call made after this row's last failure tells; what was answered before may have been the end of it.
        """
        client, circuit, failed_at = self._client, self._client.circuit, self._client.clock()
        client.rows_under_way -= 1
        try:
            with self._waiting():
                while client.rows_under_way and not (circuit.is_open or circuit.answers_since(failed_at)):  # noqa: ASYNC110
                    await asyncio.sleep(JUDGING_S)
        finally:
            client.rows_under_way += 1
        async with client.judging:
            if circuit.is_open or circuit.answers_since(failed_at):
                return circuit.is_open
            return not await self._answered_row_is_answered_again() and circuit.exhausted(reply.code)

    async def _answered_row_is_answered_again(self) -> bool:
        """Ask once more with a row that was answered before, under its own key: the only fair question left."""
        row = self._client.answered_row
        if row is None:
            return False
        reply = await self._call(row)
        if reply is not None and reply.meaning is Meaning.RETRY:
            self._client.circuit.open(reply.detail)
        return reply is not None and reply.meaning is not Meaning.RETRY

    async def _call(self, row: CallRow) -> Reply | None:
        """Make one call through the gate; None where the page was stopped first."""
        client, gate = self._client, self._client.gate
        if not gate.enter_at_once(self._batch_id):
            with self._waiting():
                await gate.enter(self._batch_id, self._place)
        try:
            if self._stopped is not None:
                return None
            saturated = gate.saturated
            reply = await client.http.post_row(row.body, row.key)
        finally:
            gate.leave(self._batch_id)
        self._learn(reply, saturated=saturated)
        return reply

    def _learn(self, reply: Reply, *, saturated: bool) -> None:
        client, limit = self._client, self._client.gate.limit
        if reply.meaning is Meaning.DONE:
            took_s = reply.latency_ms / 1_000
            client.circuit.succeeded(took_s)
            limit.succeeded(took_s, saturated=saturated)
            return
        if reply.meaning is not Meaning.RETRY:
            client.circuit.succeeded(reply.latency_ms / 1_000)
            return
        if reply.slow_down:
            limit.rejected()
        elif reply.status == "timeout":
            limit.timed_out()
        if reply.retry_after_s:
            client.gate.hold(reply.retry_after_s)
        if reply.status != "429":
            client.circuit.failed(reply.detail, asked_s=reply.retry_after_s or 0.0)

    async def _back_off(self, reply: Reply, attempts: int) -> None:
        first_s = FIRST_SLOW_DOWN_S if reply.slow_down else FIRST_BACKOFF_S
        most_s = min(LONGEST_BACKOFF_S, first_s * 2 ** (attempts - 1))
        with self._waiting():
            await asyncio.sleep(self._client.jitter(most_s))

    def _finish(self, row: CallRow, reply: Reply, statuses: list[str]) -> None:
        if reply.meaning is Meaning.DONE:
            self._client.answered_row = row
            self._keep(RowOutcome(row.number, reply.answer, None, tuple(statuses), reply.latency_ms))
        else:
            self._keep(RowOutcome(row.number, None, reply.code, tuple(statuses)))

    async def _bulk(self, rows: list[CallRow]) -> list[CallRow]:
        """Send rows in one call and keep the answers; return the rows that need a call of their own."""
        gate = self._client.gate
        body = b'{"rows":[%b]}' % b",".join(b'{"key":%b,"row":%b}' % (orjson.dumps(row.key), row.body) for row in rows)
        with self._waiting():
            await gate.enter(self._batch_id, self._place)
        try:
            if self._stopped is not None:
                return []
            saturated = gate.saturated
            reply = await self._client.http.post_bulk(body)
        finally:
            gate.leave(self._batch_id)
        self._learn(reply, saturated=saturated)
        results = (reply.answer or {}).get("results")
        found = (
            {each.get("key"): each for each in results if isinstance(each, dict)} if isinstance(results, list) else {}
        )
        left = []
        for row in rows:
            answer = found.get(row.key, {})
            if answer.get("status") == 200 and isinstance(answer.get("row"), dict):  # noqa: PLR2004 - HTTP's own number
                self._keep(RowOutcome(row.number, answer["row"], None, ("200",), reply.latency_ms))
            else:
                left.append(row)
        return left

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Mark this runner as one that can be ended at once."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - runners are tasks
        self._idle.add(task)
        try:
            yield
        finally:
            self._idle.discard(task)
