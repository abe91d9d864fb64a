"""Is a row that used up its attempts bad itself, or the first to meet an outage?

Only a call made after this row's last failure tells; what was answered before may have been the end of it. So the rows
beside it are waited for, and where there are none, a row that was answered before is asked about once more, under its
own key. An API that never answered anything is down.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from activities.api.call_scheduler import QUESTIONS
from activities.api.replies import BUSY, STALE, Meaning, Reply
from activities.api.rows import CallRow
from activities.api.tries import Try

if TYPE_CHECKING:
    from activities.api.client import EnrichmentClient
    from activities.api.page_run import PageCalls

LOOK_AGAIN_S = 0.02


async def judge_failed_row(client: EnrichmentClient, page: PageCalls, tried: Try, reply: Reply) -> None:
    """Call a row that used up its attempts once more when the API answers others; if that fails too, it is bad."""
    if reply.status == BUSY and client.answered_row is not None:
        if await client.slow_downs.api_is_busy():
            page.back_off(tried._replace(last=False), reply)
            if client.circuit.is_open:
                page.stop(client.down())
            return
    elif await api_is_down(client, reply):
        page.stop(client.down())
        return
    if tried.last and page.stopped is None:
        page.finish(tried, reply)
    elif reply.retry_after_s:
        page.back_off(tried._replace(last=True), reply)
    else:
        page.due_again(tried._replace(last=True))


async def api_is_down(client: EnrichmentClient, reply: Reply) -> bool:
    """Judge by calls made from now on whether the API is down; `reply` is the last one of the row in question."""
    circuit, failed_at = client.circuit, client.clock()
    client.rows_under_way -= 1
    try:
        while client.rows_under_way and not (circuit.is_open or circuit.answers_since(failed_at)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)
    finally:
        client.rows_under_way += 1
    async with client.judging:
        if circuit.is_open or circuit.answers_since(failed_at):
            return circuit.is_open
        return not await answers_again(client, reply.detail)


async def judge_suspicion(client: EnrichmentClient, detail: str) -> None:
    """Open the circuit if it is suspect, unless the API answers a row again that it answered before."""
    async with client.judging:
        if client.circuit.is_suspect and not client.circuit.is_open:
            await answers_again(client, detail)


async def answers_again(client: EnrichmentClient, detail: str) -> bool:
    """Ask about a row that was answered before; where it is not answered now, or there is none, the API is down.

    `detail` says why the question came up.
    """
    row = client.answered_row
    if row is None:
        client.circuit.open(detail)
        return False
    reply = await Question(client, row).reply()
    if reply.meaning is Meaning.RETRY:
        client.circuit.open(reply.detail, asked_s=reply.retry_after_s or 0.0)
        return False
    client.circuit.close()
    return True


class Question:
    """A single call, made when it is its turn at the gate, whose reply is awaited."""

    place = 0

    def __init__(self, client: EnrichmentClient, row: CallRow) -> None:
        self._client = client
        self._row = row
        self._asked = False
        self._was_stale = False
        self._reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def reply(self) -> Reply:
        """Queue up, call, and return the reply."""
        gate = self._client.gate
        gate.come(QUESTIONS)
        try:
            gate.queue_up(QUESTIONS, self)
            return await self._reply
        finally:
            gate.go(QUESTIONS)

    def begin_call(self, *, saturated: bool) -> bool:
        """Begin the call, the first time. Called by the gate."""
        if self._asked or self._reply.cancelled():
            return False
        self._asked = True
        try:
            replied = partial(self._replied, saturated)
            self._client.http.begin_row(self._row.body, self._row.key, replied, anew=self._was_stale)
        except Exception as error:  # noqa: BLE001 - whatever it is, `reply` raises it
            self._reply.set_exception(error)
            return False
        return True

    def _replied(self, saturated: bool, reply: Reply) -> None:
        try:
            self._client.learn(reply, saturated=saturated)
            if reply.status == STALE and not self._reply.cancelled():
                self._asked, self._was_stale = False, True
                self._client.gate.queue_up(QUESTIONS, self)
            elif not self._reply.done():
                self._reply.set_result(reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, `reply` raises it
            if not self._reply.done():
                self._reply.set_exception(error)
        self._client.gate.leave(QUESTIONS)
