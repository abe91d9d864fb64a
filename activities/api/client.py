"""The enrichment client: every row of a page gets its final answer, or the page says why it must wait.

One client per worker process, shared by all batches, so that its gate, its circuit and its retry budget see the API
as a whole. It knows rows and answers; it knows nothing of files or of Temporal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain, count
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

from activities.api.call_scheduler import NO_CAPS, Caps, Gate
from activities.api.circuit_breaker import Circuit
from activities.api.options import ApiOptions
from activities.api.outage_check import judge_suspicion
from activities.api.page_run import PageCalls
from activities.api.refusals import Refusals
from activities.api.replies import BUSY, CERTIFICATE, STALE, Meaning, Reply
from activities.api.retry_budget import RetryBudget
from activities.api.rows import DONE, CallRow, PageOutcome, PageRows, RowOutcome, outcome_of
from activities.api.slow_downs import PATIENCE_S, SlowDowns
from activities.api.transport.pool import HttpCalls

__all__ = ["ApiOptions", "CallRow", "Caps", "EnrichmentClient", "PageOutcome", "PageRows", "RowOutcome"]


class EnrichmentClient:
    """Calls the API for rows. An async context manager; `enrich` may run for many pages at once."""

    def __init__(
        self, options: ApiOptions, *, random: Random | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._random = random or Random()  # noqa: S311 - jitter
        self.options = options
        self.concurrency = _share(options.concurrency, options.processes)
        self.gate = Gate(self.concurrency, options.rate / options.processes, clock)
        self.circuit = Circuit(clock, self._random)
        self.budget = RetryBudget()
        self.http = HttpCalls(options)
        self.clock = clock
        self.refusals = Refusals()
        self.slow_downs = SlowDowns(self)
        self._pages: set[PageCalls] = set()
        self.rows_under_way = 0
        self.answered_row: CallRow | None = None
        self.judging = asyncio.Lock()
        self._suspicion: asyncio.Task[None] | None = None
        self._places = count()

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.close()
        self.slow_downs.close()
        if self._suspicion is not None:
            self._suspicion.cancel()
        await self.http.__aexit__(kind, error, trace)

    async def enrich(
        self,
        batch_id: str,
        rows: PageRows,
        *,
        keep: Callable[[RowOutcome], None],
        caps: Caps = NO_CAPS,
        lost: Callable[[], bool] = lambda: False,
    ) -> PageOutcome:
        """Call the API for `rows`, handing each final answer to `keep` as soon as it is there.

        Cancelled, it starts no further call and keeps the answers of those in flight for up to a second. While the API
        is down it returns `api_down` at once, but for the one call that asks whether the API is back.

        Args:
            batch_id: whose turn it is at the gate.
            rows: pulled one by one as calls can be made.
            keep: called once per row, in the order of the answers.
            caps: what this batch may do at most, over all processes.
            lost: asked before each call; once it is true, none is made any more.
        """
        if self.answered_row is None:
            self.remember_answered(rows.answered)
        left = iter(rows.rows)
        if (rows.probe or self.circuit.is_open) and not lost() and (first := next(left, None)) is not None:
            reply = await self._probed(first)
            if reply is None:
                return self.down()
            if reply.status == CERTIFICATE:
                return PageOutcome("api_refused", reply.detail)
            if reply.may_be_settings and rows.probe:
                return DONE  # the API is up, and the row's turn comes among the others
            if reply.may_be_settings or reply.meaning is Meaning.RETRY:
                left = chain([first], left)
            else:
                keep(outcome_of(first, (reply.status,), reply))
        self.gate.come(batch_id, self._own_share(caps))
        page = PageCalls(self, batch_id, left, keep, lost)
        self._pages.add(page)
        try:
            return await page.run()
        finally:
            self._pages.discard(page)
            self.gate.go(batch_id)

    async def _probed(self, row: CallRow) -> Reply | None:
        """Ask with one row whether the API is back, if it is time; None when it is not.

        A reply that asks for another try means: the API is up, but not for this row.
        """
        if self.circuit.is_open and not self.circuit.take_probe():
            return None
        try:
            reply = await self._asked(row)
            other = self.answered_row
            up = reply.meaning is not Meaning.RETRY
            if not up and other is not None and other.key != row.key:
                up = (await self._asked(other)).meaning is not Meaning.RETRY
        except asyncio.CancelledError:
            self.circuit.probe_given_up()
            raise
        if not up:
            self.circuit.probe_failed(reply.detail, asked_s=reply.retry_after_s or 0.0)
            return None
        if self.circuit.is_open:
            self.gate.limit.restart()
            self.gate.release()
        self.circuit.close()
        if reply.meaning is Meaning.DONE:
            self.answered_row = row
        return reply

    async def _asked(self, row: CallRow) -> Reply:
        reply = await self.http.post_row(row.body, row.key)
        if reply.status == STALE:  # most likely the server closed the connection while it was idle
            reply = await self.http.post_row(row.body, row.key, anew=True)
        return reply

    def _own_share(self, caps: Caps) -> Caps:
        processes = self.options.processes
        return Caps(
            concurrency=caps.concurrency and _share(caps.concurrency, processes),
            rate=caps.rate and caps.rate / processes,
        )

    def remember_answered(self, row: CallRow | None) -> None:
        """Remember a row that was answered at some time before, or forget the last one."""
        self.answered_row = row
        self.refusals.know(row)

    def next_place(self) -> int:
        """Return the place of a page in the order in which pages came."""
        return next(self._places)

    def jitter(self, most_s: float) -> float:
        """Return a time between nothing and `most_s`: full jitter spreads retries best."""
        return self._random.uniform(0, most_s)

    def learn(self, reply: Reply, *, saturated: bool, called: object = None) -> None:
        """Take from a reply what it says about the API as a whole. `called`: the try, or the rows of a bulk call."""
        took_s = reply.latency_ms / 1_000
        if reply.meaning is not Meaning.RETRY:
            self.circuit.succeeded(took_s)
            if reply.meaning is Meaning.DONE:
                self.gate.limit.succeeded(took_s, saturated=saturated)
            return
        if reply.slow_down:
            self.slow_downs.rejected(took_s, called)
        elif reply.status == "timeout":
            self.gate.limit.timed_out()
        if self.options.outage == "wait":
            self._suspect(reply)
        if reply.retry_after_s and not self.circuit.is_open:
            self.slow_downs.asked_to_rest(reply)

    def _suspect(self, reply: Reply) -> None:
        """Open the circuit where so much fails that the API may be down, and no row is answered."""
        busy = reply.status == BUSY and self.circuit.answers_since(self.clock() - PATIENCE_S)
        if reply.status != STALE and not busy:
            self.circuit.failed()
        if self.circuit.is_suspect and not self.circuit.is_open:
            if self.answered_row is None:
                self.circuit.open(reply.detail, asked_s=reply.retry_after_s or 0.0)
            elif self._suspicion is None:
                self._suspicion = asyncio.get_running_loop().create_task(judge_suspicion(self, reply.detail))
                self._suspicion.add_done_callback(self._suspicion_over)

    def _suspicion_over(self, _: asyncio.Task[None]) -> None:
        self._suspicion = None

    def stop_pages(self) -> None:
        """Let no page begin a call: the API has asked for a long rest."""
        for page in self._pages:
            page.stop(self.down())

    def down(self) -> PageOutcome:
        """Return the outcome of a page that must wait for the API."""
        return PageOutcome("api_down", self.circuit.detail, self.circuit.retry_after_s())


def _share(concurrency: int, processes: int) -> int:
    """Return what one process takes of a limit; no batch has more pages in flight than calls, so the least is one."""
    return max(1, concurrency // processes)
