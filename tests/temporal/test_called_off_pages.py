"""A page that a pause or a new limit calls off, and that ends otherwise than it was asked to.

Temporal tries no activity again that it was asked to call off: whatever comes of that attempt comes to the workflow.
"""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from stub_activities import StubActivities, request, workers
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from workflows.batch_workflows import CursorBatchWorkflow
from workflows.models import LimitsChange
from workflows.requests import EnrichedPage, EnrichPage

NUMBERS = count(0xCA11_0FF0)


class OnceOtherwise(StubActivities):
    """The first attempt ends, once it is called off, as `ending` does; all others are done at once."""

    def __init__(self, ending: str) -> None:
        super().__init__(pages=2)
        self.ending = ending
        self.begun = asyncio.Event()
        self.called_off = asyncio.Event()
        self.over = asyncio.Event()

    @activity.defn(name="enrich_chunk")
    async def enrich_chunk(self, request: EnrichPage) -> EnrichedPage:
        if self.begun.is_set():
            return await super().enrich_chunk(request)
        self.begun.set()
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            self.called_off.set()
            if self.ending == "killed":
                await self.over.wait()  # no word any more, as from a process that is gone
            raise ApplicationError("the disk is full", type="StorageFull") from None


@pytest.mark.parametrize("asked", ["pause", "limits"])
@pytest.mark.parametrize("ending", ["killed", "disk full"])
async def test_a_page_that_is_killed_or_cannot_end_while_it_is_called_off_is_worked_again(
    temporal_address: str, ending: str, asked: str
) -> None:
    client = await Client.connect(temporal_address)
    stub = OnceOtherwise(ending)
    batch = request(next(NUMBERS), heartbeat_timeout_s=1, pages_in_flight=1)
    async with workers(client, batch.id, [CursorBatchWorkflow], stub.all()):
        handle = await client.start_workflow(
            CursorBatchWorkflow.run, batch, id=f"batch-{batch.id}", task_queue=batch.id
        )
        await stub.begun.wait()
        if asked == "pause":
            await handle.signal("pause")
            await stub.called_off.wait()
            await handle.signal("resume")
        else:
            await handle.execute_update(CursorBatchWorkflow.set_limits, LimitsChange(concurrency=1))
        try:
            result = await asyncio.wait_for(handle.result(), 20)
        finally:
            stub.over.set()
    assert result.status == "complete"
    assert stub.enriched == [1, 2]
