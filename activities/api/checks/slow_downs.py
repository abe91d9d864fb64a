"""The API has too much to do (429, 503) or asks for a rest (Retry-After): does it mean everybody, or one row?

Everybody is taken at its word: fewer calls at once, none for as long as it asked. One row is not worth that. So a row
that was answered before is asked about: if it is answered again, the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from activities.api.checks.outage_check import PATIENCE_S, POLL_S, ProbeCall, api_is_down
from activities.api.options import LONGEST_HELD_S
from activities.api.replies import BUSY, Reply
from activities.api.retries import Attempt
from activities.api.session import Session

LONG_REST_S = 2.0
"""A Retry-After from this on is an outage that the API announced: the batch waits and says so."""

VERDICT_HOLDS_S = 1.0
"""For this long nobody asks again whether the API means everybody."""

ANSWERS_IN_A_ROW = 8
"""An API that turns away calls of anybody answers so many one after the other only by a rare chance."""


class Verdict(Enum):
    """Why a row failed all its attempts."""

    DOWN = "the API is down"
    BUSY = "the API is busy"
    ROW = "the API answers others"


class SlowDowns:
    """What the API said about its load, over all batches of a worker."""

    def __init__(self, session: Session, stop_pages: Callable[[], None]) -> None:
        """`stop_pages` lets no page begin a call: the API has asked for a long rest."""
        self._session = session
        self.stop_pages = stop_pages
        self._last_key = ""
        self._asking: asyncio.Task[None] | None = None
        self._meant_one_row_at = self._busy_at = self._free_at = float("-inf")

    def close(self) -> None:
        """Give up what is being asked."""
        if self._asking is not None:
            self._asking.cancel()

    def failed(self, reply: Reply, called: object) -> None:
        """Note a failed call; the session calls this, after all that may open the circuit."""
        if reply.slow_down:
            self._rejected(reply.latency_ms / 1_000, called)
        if reply.retry_after_s and not self._session.circuit.is_open:
            self._asked_to_rest(reply)

    def _rejected(self, took_s: float, called: object) -> None:
        """Lower the limit of calls at once where the API turns rows away; the same row again says nothing new."""
        key = called.row.key if isinstance(called, Attempt) else ""
        if not key or key != self._last_key:
            self._session.scheduler.limit.rejected(took_s)
        self._last_key = key

    def _asked_to_rest(self, reply: Reply) -> None:
        """Hold all calls for as long as `reply` asks, or until it is clear that it means its own row alone."""
        session = self._session
        if session.clock() - self._meant_one_row_at < VERDICT_HOLDS_S:
            return
        session.scheduler.hold(reply.retry_after_s or 0.0)
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask(reply))
            self._asking.add_done_callback(self._asked)

    def _asked(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self, reply: Reply) -> None:
        session = self._session
        while session.answered_row is None and session.scheduler.in_flight:  # noqa: ASYNC110 - one of those may be answered
            await asyncio.sleep(POLL_S)
        known = session.answered_row
        answer = await ProbeCall(session, known).reply() if known else reply
        if not answer.is_failure:
            self._meant_one_row_at = session.clock()
            session.scheduler.release()
            return
        asked_s = max(reply.retry_after_s or 0.0, answer.retry_after_s or 0.0)
        if known is None:
            asked_s = min(asked_s, LONGEST_HELD_S)  # it may mean this row alone: the probe is another one
        if asked_s >= LONG_REST_S and session.options.outage == "wait":
            session.circuit.open(answer.detail, asked_s=asked_s)
            self.stop_pages()
            session.scheduler.release()

    async def why_failed(self, reply: Reply) -> Verdict:
        """Find out why a row failed all its attempts, `reply` being the last; where the circuit is open, it is down."""
        if reply.status == BUSY and self._session.answered_row is not None:
            return Verdict.BUSY if await self.api_is_busy() else Verdict.ROW
        return Verdict.DOWN if await api_is_down(self._session, reply) else Verdict.ROW

    async def api_is_busy(self) -> bool:
        """Return whether the API says 429 for rows too that it answered before.

        An API with a limit of its own answers some calls all the same, so several in a row must be answered. Where
        none is, and none was for a while, the circuit opens.
        """
        session, failed_at = self._session, self._session.clock()
        async with session.outage_check_lock:
            if self._free_at >= failed_at:
                return False
            asking_at = session.clock()
            if asking_at - self._busy_at < VERDICT_HOLDS_S:
                return True
            for _ in range(ANSWERS_IN_A_ROW):
                known = session.answered_row
                answer = await ProbeCall(session, known).reply() if known else None
                if answer is None or answer.is_failure:
                    self._busy_at = session.clock()
                    if answer and not session.circuit.answers_since(self._busy_at - PATIENCE_S):
                        session.circuit.open(answer.detail, asked_s=answer.retry_after_s or 0.0)
                    return True
            self._free_at = asking_at
            return False
