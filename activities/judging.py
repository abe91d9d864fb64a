"""Is a row that used up its attempts bad itself, or the first to meet an outage?

Only a call made after this row's last failure tells; what was answered before may have been the end of it. So the rows
beside it are waited for, and where there are none, a row that was answered before is asked about once more.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from activities.answers import Meaning, Reply
from activities.rows import CallRow

if TYPE_CHECKING:
    from activities.enrichment import EnrichmentClient

LOOK_AGAIN_S = 0.02


async def api_is_down(client: EnrichmentClient, batch_id: str, place: int, reply: Reply) -> bool:
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
        return not await _answered_row_is_answered_again(client, batch_id, place) and circuit.exhausted(reply.code)


async def _answered_row_is_answered_again(client: EnrichmentClient, batch_id: str, place: int) -> bool:
    """Ask once more with a row that was answered before, under its own key: the only fair question left."""
    row = client.answered_row
    if row is None:
        return False
    reply = await Question(client, batch_id, row, place).reply()
    if reply.meaning is Meaning.RETRY:
        client.circuit.open(reply.detail)
    return reply.meaning is not Meaning.RETRY


class Question:
    """A single call, made when it is its turn at the gate, whose reply is awaited."""

    def __init__(self, client: EnrichmentClient, batch_id: str, row: CallRow, place: int) -> None:
        self.place = place
        self._client = client
        self._batch_id = batch_id
        self._row: CallRow | None = row
        self._reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def reply(self) -> Reply:
        """Queue up, call, and return the reply."""
        self._client.gate.queue_up(self._batch_id, self)
        return await self._reply

    def begin_call(self, *, saturated: bool) -> bool:
        """Begin the call, the first time. Called by the gate."""
        row, self._row = self._row, None
        if row is None or self._reply.cancelled():
            return False
        self._client.http.begin_row(row.body, row.key, partial(self._replied, saturated))
        return True

    def _replied(self, saturated: bool, reply: Reply) -> None:
        self._client.learn(reply, saturated=saturated)
        if not self._reply.done():
            self._reply.set_result(reply)
        self._client.gate.leave(self._batch_id)
