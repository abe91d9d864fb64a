"""Batches on a real Temporal server with activities that touch nothing, and batchctl beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from batchctl_runner import Answer, BatchctlRunner
from stub_activities import StubActivities, request, workers
from temporalio.client import Client, WorkflowHandle

from activities.registry.receipts import Receipt
from workflows.batch_workflows import CursorBatchWorkflow
from workflows.state import BatchRequest

NUMBERS = count(1_000)


class Batches:
    """Runs batches on the task queue of a BatchctlRunner."""

    def __init__(self, runner: BatchctlRunner, client: Client, queue: str) -> None:
        self.runner, self.client, self.queue = runner, client, queue

    @asynccontextmanager
    async def worker(self, stub: StubActivities, client: Client | None = None) -> AsyncIterator[None]:
        async with workers(client or self.client, self.queue, [CursorBatchWorkflow], stub.all()):
            yield

    async def started(
        self, *, shape: dict[str, object] | None = None, **facts: Any
    ) -> tuple[Receipt, WorkflowHandle[Any, Any]]:
        """Start a batch and write its receipt."""
        number = next(NUMBERS)
        batch: BatchRequest = request(number, **(shape or {}))
        receipt = self.runner.receipt(id=batch.id, state="running", **facts)
        receipt = replace(receipt, source=batch.source)
        self.runner.receipts.write(receipt)
        handle = await self.client.start_workflow(
            CursorBatchWorkflow.run, batch, id=f"batch-{batch.id}", task_queue=self.queue
        )
        return receipt, handle


async def eventually(answer: Callable[[], Awaitable[Answer]], wanted: Callable[[Any], bool]) -> Any:
    """Return the first JSON answer that is as wanted."""
    for _ in range(200):
        document = (await answer()).json()
        if wanted(document):
            return document
        await asyncio.sleep(0.05)
    raise AssertionError(document)


def held(pages: int = 4) -> StubActivities:
    """Return activities whose enrichment waits until `gate` is set."""
    stub = StubActivities(pages=pages)
    stub.gate.clear()
    return stub
