"""Is a row that used up its attempts bad itself, or the first to meet an outage?

Only a call made after this row's last failure tells; what was answered before may have been the end of it. So the rows
beside it are waited for, and where there are none, a row that was answered before is asked about once more, under its
own key. An API that never answered anything is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

from activities.api.limits.batch_turn import PROBES
from activities.api.replies import BUSY, STALE, Reply
from activities.api.rows import CallRow
from activities.api.session import Session

POLL_S = 0.02

PATIENCE_S = 5.0
"""An API that answered a call within this is busy when it says 429, and not down."""


async def api_is_down(session: Session, reply: Reply) -> bool:
    """Find out by calls made from now on whether the API is down; `reply` is the last one of the row in question."""
    circuit, failed_at = session.circuit, session.clock()
    session.rows_under_way -= 1
    try:
        while session.rows_under_way and not (circuit.is_open or circuit.answers_since(failed_at)):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
    finally:
        session.rows_under_way += 1
    async with session.outage_check_lock:
        if circuit.is_open or circuit.answers_since(failed_at):
            return circuit.is_open
        return not await answers_again(session, reply.detail)


class Suspicion:
    """Opens the circuit where so much fails that the API may be down, and no row is answered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._checking: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Give up the check under way."""
        if self._checking is not None:
            self._checking.cancel()

    def failed(self, reply: Reply, _: object) -> None:
        """Note a failed call; the session calls this."""
        session, circuit = self._session, self._session.circuit
        busy = reply.status == BUSY and circuit.answers_since(session.clock() - PATIENCE_S)
        if reply.status != STALE and not busy:
            circuit.failed()
        if circuit.is_suspect and not circuit.is_open:
            if session.answered_row is None:
                circuit.open(reply.detail, asked_s=reply.retry_after_s or 0.0)
            elif self._checking is None:
                self._checking = asyncio.get_running_loop().create_task(self._check(reply.detail))
                self._checking.add_done_callback(self._checked)

    async def _check(self, detail: str) -> None:
        async with self._session.outage_check_lock:
            if self._session.circuit.is_suspect and not self._session.circuit.is_open:
                await answers_again(self._session, detail)

    def _checked(self, _: asyncio.Task[None]) -> None:
        self._checking = None


async def answers_again(session: Session, detail: str) -> bool:
    """Ask about a row that was answered before; where it is not answered now, or there is none, the API is down.

    `detail` says why the question came up.
    """
    row = session.answered_row
    if row is None:
        session.circuit.open(detail)
        return False
    reply = await ProbeCall(session, row).reply()
    if reply.is_failure:
        session.circuit.open(reply.detail, asked_s=reply.retry_after_s or 0.0)
        return False
    session.circuit.close()
    return True


class ProbeCall:
    """A single call, made when it is its turn at the scheduler, whose reply is awaited.

    `learns`: the session takes from the reply what it says about the API; else that is left to who asked.
    """

    sequence = 0

    def __init__(self, session: Session, row: CallRow, *, learns: bool = True) -> None:
        self._session = session
        self._row = row
        self._learns = learns
        self._asked = False
        self._was_stale = False
        self._reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def reply(self) -> Reply:
        """Queue up, call, and return the reply."""
        scheduler = self._session.scheduler
        scheduler.come(PROBES)
        try:
            scheduler.queue_up(PROBES, self)
            return await self._reply
        finally:
            scheduler.go(PROBES)

    def begin_call(self, *, saturated: bool) -> bool:
        """Begin the call, the first time. Called by the scheduler."""
        if self._asked or self._reply.cancelled():
            return False
        self._asked = True
        try:
            replied = partial(self._replied, saturated)
            self._session.calls_of(self._row).begin_row(self._row, replied, anew=self._was_stale)
        except Exception as error:  # noqa: BLE001 - whatever it is, `reply` raises it
            self._reply.set_exception(error)
            return False
        return True

    def _replied(self, saturated: bool, reply: Reply) -> None:
        try:
            if self._learns:
                self._session.learn(reply, saturated=saturated)
            else:
                self._session.tally.count(reply)
            if reply.status == STALE and not self._was_stale and not self._reply.cancelled():
                self._asked, self._was_stale = False, True
                self._session.scheduler.queue_up(PROBES, self)
            elif not self._reply.done():
                self._reply.set_result(reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, `reply` raises it
            if not self._reply.done():
                self._reply.set_exception(error)
        self._session.scheduler.leave(PROBES)


class Checks:
    """The checks that a page waits for: why a row failed all its attempts, why rows are refused."""

    def __init__(self, failed: Callable[[BaseException], None], ended: Callable[[], None]) -> None:
        self._failed = failed
        self._ended = ended
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, check: Coroutine[None, None, None]) -> None:
        """Run a check to its end, then call `ended`, and before it `failed` with its error if there is one."""
        task = asyncio.get_running_loop().create_task(check)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Give up all checks but the one that asks for it."""
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
        self._ended()
