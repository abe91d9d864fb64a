"""The enrichment client: every row of a page gets its final answer, or the page says why it must wait.

One client per worker process, shared by all batches, so that its gate, its circuit and its retry budget see the API
as a whole. It knows rows and answers; it knows nothing of files or of Temporal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

from activities.answers import Meaning, Reply
from activities.circuit import Circuit
from activities.gate import NO_CAPS, Caps, Gate
from activities.http_calls import ApiOptions, HttpCalls
from activities.page_calls import PageCalls
from activities.retry_budget import RetryBudget
from activities.rows import DONE, CallRow, PageOutcome, RowOutcome

__all__ = ["ApiOptions", "CallRow", "Caps", "EnrichmentClient", "PageOutcome", "RowOutcome"]


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
        self.rows_under_way = 0
        self.answered_row: CallRow | None = None
        self.judging = asyncio.Lock()
        self._places = count()

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.close()
        await self.http.__aexit__(kind, error, trace)

    async def enrich(
        self,
        batch_id: str,
        rows: Iterable[CallRow],
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
        left = iter(rows)
        if self.circuit.is_open and not lost():
            probed = await self._probe(left, keep)
            if probed is not None:
                return probed
        self.gate.come(batch_id, self._own_share(caps))
        try:
            return await PageCalls(self, batch_id, left, keep, lost).run()
        finally:
            self.gate.go(batch_id)

    async def _probe(self, rows: Iterator[CallRow], keep: Callable[[RowOutcome], None]) -> PageOutcome | None:
        """Ask with one row whether the API is back, if it is time; None when it is and the rest may follow."""
        if not self.circuit.take_probe():
            return self.down()
        row = next(rows, None)
        if row is None:
            self.circuit.probe_given_up()
            return DONE
        try:
            reply = await self.http.post_row(row.body, row.key)
        except asyncio.CancelledError:
            self.circuit.probe_given_up()
            raise
        if reply.meaning is Meaning.RETRY:
            self.circuit.probe_failed(reply.detail, asked_s=reply.retry_after_s or 0.0)
            return self.down()
        self.circuit.succeeded()
        self.gate.limit.restart()
        if reply.meaning is Meaning.REFUSED:
            return PageOutcome("api_refused", reply.detail)
        if reply.meaning is Meaning.DONE:
            keep(RowOutcome(row.number, reply.answer, None, (reply.status,), reply.latency_ms))
        else:
            keep(RowOutcome(row.number, None, reply.code, (reply.status,)))
        return None

    def _own_share(self, caps: Caps) -> Caps:
        processes = self.options.processes
        return Caps(
            concurrency=caps.concurrency and _share(caps.concurrency, processes),
            rate=caps.rate and caps.rate / processes,
        )

    def next_place(self) -> int:
        """Return the place of a page in the order in which pages came."""
        return next(self._places)

    def jitter(self, most_s: float) -> float:
        """Return a time between nothing and `most_s`: full jitter spreads retries best."""
        return self._random.uniform(0, most_s)

    def learn(self, reply: Reply, *, saturated: bool) -> None:
        """Take from a reply what it says about the API as a whole."""
        limit = self.gate.limit
        if reply.meaning is not Meaning.RETRY:
            took_s = reply.latency_ms / 1_000
            self.circuit.succeeded(took_s)
            if reply.meaning is Meaning.DONE:
                limit.succeeded(took_s, saturated=saturated)
            return
        if reply.slow_down:
            limit.rejected()
        elif reply.status == "timeout":
            limit.timed_out()
        if reply.retry_after_s:
            self.gate.hold(reply.retry_after_s)
        if reply.status != "429":
            self.circuit.failed(reply.detail, asked_s=reply.retry_after_s or 0.0)

    def down(self) -> PageOutcome:
        """Return the outcome of a page that must wait for the API."""
        return PageOutcome("api_down", self.circuit.detail, self.circuit.retry_after_s())


def _share(concurrency: int, processes: int) -> int:
    """Return what one process takes of a limit; no batch has more pages in flight than calls, so the least is one."""
    return max(1, concurrency // processes)
