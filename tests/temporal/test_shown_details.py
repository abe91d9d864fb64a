"""What Temporal's own page shows of a real workflow follows each change of its state."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from stub_activities import StubActivities, request, workers
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle

from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow
from workflows.models import Control
from workflows.requests import EnrichedPage, EnrichPage

NUMBERS = count(0xDE7A_0000)
QUEUE = "details"


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


async def shows(handle: WorkflowHandle[CursorBatchWorkflow, object], text: str) -> None:
    """Return once the page has this text; it is asked for as Temporal's own page does."""
    for _ in range(400):
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        if text in metadata.current_details:
            return
        await asyncio.sleep(0.025)
    raise AssertionError(metadata.current_details)


async def test_the_page_shows_a_pause_at_once_and_where_the_result_goes(client: Client) -> None:
    stub = StubActivities(pages=3)
    stub.gate.clear()
    batch = request(next(NUMBERS))
    async with workers(client, QUEUE, WORKFLOWS, stub.all()):
        handle = await client.start_workflow(
            CursorBatchWorkflow.run,
            batch,
            id=f"batch-{batch.id}",
            task_queue=QUEUE,
            memo={"output_dir": "/srv/out/batch-x"},
        )
        await handle.signal("pause", Control(by="ann", reason="the bill"))
        await shows(handle, "paused by `ann`")
        await shows(handle, "result goes to `/srv/out/batch-x`")
        await handle.signal("resume")
        await shows(handle, "**running** `users.csv`")
        stub.gate.set()
        await handle.result()
        await shows(handle, "**completed** `users.csv`")


async def test_the_page_shows_an_outage_and_its_end(client: Client) -> None:
    back = asyncio.Event()

    def answer(asked: EnrichPage, _: int) -> EnrichedPage:
        return EnrichedPage() if back.is_set() else EnrichedPage(outcome="api_down", retry_after_s=1, detail="HTTP 503")

    batch = request(next(NUMBERS))
    async with workers(client, QUEUE, WORKFLOWS, StubActivities(pages=2, answer=answer).all()):
        handle = await client.start_workflow(CursorBatchWorkflow.run, batch, id=f"batch-{batch.id}", task_queue=QUEUE)
        await shows(handle, "waits for the API since")
        await shows(handle, "`HTTP 503`; it is asked again at")
        back.set()
        await handle.result()
        await shows(handle, "**completed**")
