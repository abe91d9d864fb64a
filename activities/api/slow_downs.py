"""The API has too much to do (429, 503) or asks for a rest (Retry-After): does it mean everybody, or one row?

Everybody is taken at its word: fewer calls at once, none for as long as it asked. One row is not worth that. So a row
that was answered before is asked about: if it is answered again, the others go on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from activities.api.outage_check import LOOK_AGAIN_S, Question
from activities.api.replies import Meaning, Reply
from activities.api.tries import Try

if TYPE_CHECKING:
    from activities.api.client import EnrichmentClient

LONG_REST_S = 2.0
"""A Retry-After from this on is an outage that the API announced: the batch waits and says so."""

PATIENCE_S = 5.0
"""An API that answered a call within this is busy when it says 429, and not down."""

VERDICT_HOLDS_S = 1.0
"""For this long nobody asks again whether the API means everybody."""

ANSWERS_IN_A_ROW = 8
"""An API that turns away calls of anybody answers so many one after the other only by a rare chance."""


class SlowDowns:
    """What the API said about its load, over all batches of a worker."""

    def __init__(self, client: EnrichmentClient) -> None:
        self._client = client
        self._last_key = ""
        self._asking: asyncio.Task[None] | None = None
        self._meant_one_row_at = self._busy_at = self._free_at = float("-inf")

    def close(self) -> None:
        """Give up what is being asked."""
        if self._asking is not None:
            self._asking.cancel()

    def rejected(self, took_s: float, called: object) -> None:
        """Lower the limit of calls at once where the API turns rows away; the same row again says nothing new."""
        key = called.row.key if isinstance(called, Try) else ""
        if not key or key != self._last_key:
            self._client.gate.limit.rejected(took_s)
        self._last_key = key

    def asked_to_rest(self, reply: Reply) -> None:
        """Hold all calls for as long as `reply` asks, or until it is clear that it means its own row alone."""
        client = self._client
        if client.clock() - self._meant_one_row_at < VERDICT_HOLDS_S:
            return
        client.gate.hold(reply.retry_after_s or 0.0)
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask(reply))
            self._asking.add_done_callback(self._asked)

    def _asked(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self, reply: Reply) -> None:
        client = self._client
        while client.answered_row is None and client.gate.in_flight:  # noqa: ASYNC110 - one of those may be answered
            await asyncio.sleep(LOOK_AGAIN_S)
        known = client.answered_row
        answer = await Question(client, known).reply() if known else reply
        if answer.meaning is not Meaning.RETRY:
            self._meant_one_row_at = client.clock()
            client.gate.release()
            return
        asked_s = max(reply.retry_after_s or 0.0, answer.retry_after_s or 0.0)
        if asked_s >= LONG_REST_S and client.options.outage == "wait":
            client.circuit.open(answer.detail, asked_s=asked_s)
            client.stop_pages()
            client.gate.release()

    async def api_is_busy(self) -> bool:
        """Tell whether the API says 429 for rows too that it answered before.

        An API with a limit of its own answers some calls all the same, so several in a row must be answered. Where
        none is, and none was for a while, the circuit opens.
        """
        client, failed_at = self._client, self._client.clock()
        async with client.judging:
            if self._free_at >= failed_at:
                return False
            asking_at = client.clock()
            if asking_at - self._busy_at < VERDICT_HOLDS_S:
                return True
            for _ in range(ANSWERS_IN_A_ROW):
                known = client.answered_row
                answer = await Question(client, known).reply() if known else None
                if answer is None or answer.meaning is Meaning.RETRY:
                    self._busy_at = client.clock()
                    if answer and not client.circuit.answers_since(self._busy_at - PATIENCE_S):
                        client.circuit.open(answer.detail, asked_s=answer.retry_after_s or 0.0)
                    return True
            self._free_at = asking_at
            return False
