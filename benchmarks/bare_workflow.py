"""Workflows with as many activities as a small batch has, that do nothing: what Temporal alone costs."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bare"


@activity.defn
async def nothing() -> None:
    """Do nothing."""


async def _do() -> None:
    await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=60))


@workflow.defn
class BareChild:
    """One activity, as in LoadChunksWorkflow."""

    @workflow.run
    async def run(self) -> None:
        """Run it."""
        await _do()


@workflow.defn
class Bare:
    """A child, then four activities: enrich, save, manifest, file."""

    @workflow.run
    async def run(self) -> None:
        """Run them."""
        await workflow.execute_child_workflow(BareChild.run, id=f"{workflow.info().workflow_id}-load")
        for _ in range(4):
            await _do()


async def files_a_second(address: str, files: int, starts_in_flight: int) -> float:
    """Run `files` of them and return how many ended in a second."""
    client = await Client.connect(address)
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Bare, BareChild],
        activities=[nothing],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        gate = asyncio.Semaphore(starts_in_flight)

        async def start(number: int) -> object:
            async with gate:
                return await client.start_workflow(Bare.run, id=f"bare-{number}", task_queue=QUEUE)

        started = time.perf_counter()
        handles = await asyncio.gather(*(start(number) for number in range(files)))
        await asyncio.gather(*(each.result() for each in handles))  # type: ignore[attr-defined]
        return files / (time.perf_counter() - started)
