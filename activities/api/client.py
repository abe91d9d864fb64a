"""The enrichment client: every row of a page gets its final answer, or the page says why it must wait.

One client per worker process, shared by all batches, so that its scheduler, its circuit breaker and its retry budget
see the API as a whole. It knows rows and answers; it knows nothing of files or of Temporal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

from activities.api.calls.described_calls import ApiAccess, DescribedCalls
from activities.api.calls.posted_rows import PostedRows
from activities.api.calls.traced_calls import TracedCalls, call_traces
from activities.api.checks.outage_check import ProbeCall, Suspicion
from activities.api.checks.slow_downs import SlowDowns
from activities.api.credentials.auth import Credentials
from activities.api.limits.batch_turn import NO_CAPS, Caps
from activities.api.limits.shares import Shares
from activities.api.options import LONGEST_HELD_S, ApiOptions
from activities.api.others import Others
from activities.api.page_run import PageCalls, PageWork
from activities.api.quota.quota import Quota
from activities.api.replies import CERTIFICATE, Meaning, Reply
from activities.api.rows import DONE, CallRow, PageOutcome, PageRows, RowCalls, RowOutcome, outcome_of
from activities.api.session import Session
from workflows.api_spec import ApiSpec
from workflows.errors import SettingsError

__all__ = ["ApiOptions", "CallRow", "Caps", "EnrichmentClient", "PageOutcome", "PageRows", "RowOutcome"]


class EnrichmentClient:
    """Calls the API for rows. An async context manager; `enrich` may run for many pages at once."""

    def __init__(
        self,
        api: ApiOptions | ApiAccess,
        *,
        quota: Quota | None = None,
        shares: Shares | None = None,
        others: Others | None = None,
        random: Random | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take what `api` is called with: the options alone, where rows are posted to it as they are.

        `shares` and `others` connect it with the other processes that call the same API; without, it is alone.
        """
        options = api if isinstance(api, ApiOptions) else api.options
        self._access = None if isinstance(api, ApiOptions) else api
        posted = PostedRows(options) if self._access is None else None
        self.session = Session(
            options,
            random=random or Random(),  # noqa: S311 - jitter
            clock=clock,
            posted_rows=posted,
            shares=shares,
            others=others,
        )
        self._described: list[DescribedCalls] = []
        self._old_credentials: list[Credentials] = []
        self._quota = quota
        if quota is not None:
            self.session.scheduler.limit_by(quota, self._quota_used_up)
            quota.on_free = self.session.scheduler.serve
        self._suspicion = Suspicion(self.session)
        self.slow_downs = SlowDowns(self.session, self._stop_pages)
        self.session.on_failure += [self._suspect, self.slow_downs.failed]
        self._pages: set[PageCalls] = set()
        self.session.circuit.on_told_down = self._stop_pages

    @property
    def answered_row(self) -> CallRow | None:
        """A row that the API has answered, if one is known."""
        return self.session.answered_row

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.scheduler.close()
        self.slow_downs.close()
        self._suspicion.close()
        if self.session.posted_rows is not None:
            await self.session.posted_rows.aclose()
        for calls in self._described:
            await calls.aclose()
        for each in (*self._old_credentials, *((self._access.credentials,) if self._access else ())):
            each.close()
        if self._quota is not None:
            await asyncio.to_thread(self._quota.close)

    async def adopt(self, access: ApiAccess, quota: Quota | None) -> None:
        """Call the described API with another access and quota from the next call on; no call in flight is lost.

        A quota of the same windows as the present one is not needed: the present one is kept.
        """
        if self._access is None:
            raise SettingsError("an API that is not described cannot change while it is called")
        self._old_credentials.append(self._access.credentials)  # calls in flight may wait for a token of it
        self._access = access
        for calls in self._described:
            calls.adopt(access)
        self.session.adopt(access.options)
        old = self._quota
        if old is None or quota is None or old.windows != quota.windows:
            self._quota = quota
        limit = None if self._quota is None else (self._quota, self._quota_used_up)
        self.session.scheduler.change_limits(access.options.concurrency, access.options.rate, limit)
        for page in self._pages:
            page.queue_up()
        if self._quota is not None:
            self._quota.on_free = self.session.scheduler.serve
        if old is not None and old is not self._quota:
            if old.why and self.session.circuit.detail == old.why:
                self.session.circuit.close()
            await asyncio.to_thread(old.close)

    def calls_of(self, spec: ApiSpec) -> RowCalls:
        """Return what calls rows as `spec` describes; the same one each time.

        Raises:
            SettingsError: this worker cannot use the description.
        """
        found = next((each for each in self._described if each.spec == spec), None)
        if found is None:
            if self._access is None:
                raise SettingsError("this worker has no configuration file, and the batch was begun with one")
            found = DescribedCalls(spec, self._access)
            self._described.append(found)
        return found

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
            batch_id: whose turn it is at the scheduler, among the batches of the feed.
            rows: pulled one by one as calls can be made.
            keep: called once per row, in the order of the answers.
            caps: what this batch may do at most, over all processes.
            lost: asked before each call; once it is true, none is made any more.
        """
        calls = rows.calls or self.session.posted_rows
        if calls is None:
            raise SettingsError("the batch was begun without a configuration file, and this worker has one")
        traces = call_traces.get()
        if traces is not None:
            calls = TracedCalls(calls, traces)
        if self.answered_row is None and rows.answered is not None:
            self.session.remember_answered(replace(rows.answered, calls=rows.calls))
        left = iter(rows.rows) if rows.calls is None else _called_by(rows.calls, rows.rows)
        if (rows.probe or self.session.circuit.is_open) and not lost() and (first := next(left, None)) is not None:
            reply = await self._probed(first)
            if reply is None:
                return self.session.down()
            if reply.status == CERTIFICATE or reply.meaning is Meaning.PAUSE:
                return PageOutcome("api_refused", reply.detail)
            if reply.may_be_settings and rows.probe:
                return DONE  # the API is up, and the row's turn comes among the others
            if reply.may_be_settings or reply.is_failure:
                left = chain([first], left)
            else:
                keep(outcome_of(first, (reply.status,), reply))
        self.session.scheduler.come(batch_id, caps, rows.feed)
        page = PageCalls(self.session, self.slow_downs, batch_id, PageWork(left, calls, keep, lost))
        self._pages.add(page)
        try:
            return await page.run()
        finally:
            self._pages.discard(page)
            self.session.scheduler.go(batch_id)

    async def _probed(self, row: CallRow) -> Reply | None:
        """Ask with one row whether the API is back, if it is time; None when it is not.

        A reply that asks for another try means: the API is up, but not for this row.
        """
        if self.session.circuit.is_open and not await self._takes_probe():
            return None
        try:
            if not await self._may_ask():
                return None
            reply = await self._asked(row)
            other = self.session.answered_row
            up = not reply.is_failure
            if not up and other is not None and other.key != row.key:
                if not await self._may_ask():
                    return None
                up = not (await self._asked(other)).is_failure
        except BaseException:
            self.session.circuit.probe_given_up()
            raise
        if not up:
            self.session.circuit.probe_failed(reply.detail, asked_s=reply.retry_after_s or 0.0)
            return None
        if self.session.circuit.is_open:
            self.session.scheduler.limit.restart()
            self.session.scheduler.release()
        self.session.circuit.close()
        if reply.meaning is Meaning.DONE:
            self.session.answered_row = row
        return reply

    async def _takes_probe(self) -> bool:
        """Take the right to ask, of this process and of the others; False where it is not time, or another one asks."""
        circuit = self.session.circuit
        if not circuit.take_probe():
            return False
        try:
            may = await self.session.others.may_probe()
        except asyncio.CancelledError:
            circuit.probe_given_up()
            raise
        if not may:
            circuit.probe_not_allowed()
        return may

    async def _may_ask(self) -> bool:
        """Wait until the quota allows a probe; return False where it does not for a long while."""
        if self._quota is None:
            return True
        while wait_s := self._quota.wait_s():
            if wait_s > LONGEST_HELD_S:
                self.session.circuit.probe_failed(self._quota.why, asked_s=wait_s)
                return False
            await asyncio.sleep(wait_s)
        return True

    def _suspect(self, reply: Reply, called: object) -> None:
        if self.session.options.outage == "wait":
            self._suspicion.failed(reply, called)

    def _quota_used_up(self, wait_s: float) -> None:
        """Wait as in an outage that was announced: the batches do, and no connection is held."""
        if self._quota is not None and not self.session.circuit.is_open:
            self.session.circuit.open(self._quota.why, asked_s=wait_s)
            self._stop_pages()

    async def _asked(self, row: CallRow) -> Reply:
        return await ProbeCall(self.session, row, learns=False).reply()

    def _stop_pages(self) -> None:
        """Let no page begin a call: the API has asked for a long rest."""
        for page in self._pages:
            page.stop(self.session.down())


def _called_by(calls: RowCalls, rows: Iterable[CallRow]) -> Iterator[CallRow]:
    for row in rows:
        row.calls = calls
        yield row
