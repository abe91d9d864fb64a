"""A batch with a schema is made ready before its first page; no other batch pays for that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from stub_activities import StubActivities, request, workers
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow
from workflows.models import Control
from workflows.requests import EnrichedPage, EnrichPage, PrepareBatch, PreparedBatch

NUMBERS = count(1)
SCHEMA = '{"fields":[{"name":"id"}]}'


async def ended(client: Client, stub: StubActivities, workflow: Any, **of_request: Any) -> None:
    queue = f"prepared-{next(NUMBERS)}"
    batch = replace(request(next(NUMBERS)), **of_request)
    async with workers(client, queue, WORKFLOWS, stub.all()):
        await client.execute_workflow(workflow.run, batch, id=f"prepared-{batch.id}", task_queue=queue)


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


@pytest.mark.parametrize("workflow", [CursorBatchWorkflow, InMemoryBatchWorkflow])
async def test_a_batch_with_a_schema_is_prepared_once_before_its_first_page(client: Client, workflow: Any) -> None:
    prepared_at_first: list[int] = []

    def answer(_: EnrichPage, __: int) -> EnrichedPage:
        prepared_at_first.append(len(stub.prepared))
        return EnrichedPage()

    stub = StubActivities(answer=answer)
    await ended(client, stub, workflow, schema=SCHEMA)

    assert [each.schema for each in stub.prepared] == [SCHEMA]
    assert prepared_at_first[0] == 1
    assert stub.manifests[0].schema == SCHEMA


async def test_neither_a_batch_without_a_schema_nor_a_retry_is_prepared(client: Client) -> None:
    stub = StubActivities()
    await ended(client, stub, CursorBatchWorkflow)
    await ended(client, stub, RetryFailedWorkflow, schema=SCHEMA, generation=2)

    assert stub.prepared == []
    assert len(stub.manifests) == 2


async def test_a_page_that_finds_the_schema_gone_has_it_put_back_and_goes_on(client: Client) -> None:
    def answer(asked: EnrichPage, attempt: int) -> EnrichedPage:
        return EnrichedPage(outcome="unprepared" if (asked.page.number, attempt) == (2, 1) else "done")

    stub = StubActivities(answer=answer)
    await ended(client, stub, CursorBatchWorkflow, schema=SCHEMA)

    assert len(stub.prepared) == 2
    assert stub.enriched.count(2) == 2


async def test_a_cancel_ends_a_batch_that_cannot_be_prepared(client: Client) -> None:
    tried = asyncio.Event()

    class Stuck(StubActivities):
        @activity.defn(name="prepare_batch")
        async def prepare_batch(self, request: PrepareBatch) -> PreparedBatch:
            tried.set()
            raise ApplicationError("the inbox is away", type="InboxMissing")

    stub, queue = Stuck(), f"prepared-{next(NUMBERS)}"
    batch = replace(request(next(NUMBERS)), schema=SCHEMA)
    async with workers(client, queue, WORKFLOWS, stub.all()):
        handle = await client.start_workflow(
            CursorBatchWorkflow.run, batch, id=f"prepared-{batch.id}", task_queue=queue
        )
        await asyncio.wait_for(tried.wait(), 20)
        await handle.signal(CursorBatchWorkflow.cancel, Control(by="test"))
        result = await handle.result()

    assert result.status == "cancelled"
    assert stub.enriched == []
