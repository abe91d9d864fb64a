"""Why a step fails stays to be read on a real server, however deep in the code it failed."""

from __future__ import annotations

import asyncio
from itertools import count

from stub_activities import StubActivities, request, workers
from temporalio import activity
from temporalio.client import Client

from daemon.temporal.payloads import DATA_CONVERTER
from workflows.batch_workflows import CursorBatchWorkflow
from workflows.errors import StorageFull
from workflows.requests import SavedChunk, SavePage

NUMBERS = count(0xFA11_0000)


class FullDisk(StubActivities):
    """Each page fails to be saved, from far down."""

    @activity.defn(name="save_chunk")
    async def save_chunk(self, request: SavePage) -> SavedChunk:
        try:
            _deeply(60)
        except OSError as error:
            raise StorageFull("writing /srv/out: No space left on device") from error
        return await super().save_chunk(request)


def _deeply(depth: int) -> None:
    if depth:
        [_deeply, _still_deeply][depth % 2](depth - 1)
    raise OSError(28, "No space left on device", "/srv/out/batch-users-4a9964649433/chunk-000001.json")


def _still_deeply(depth: int) -> None:
    _deeply(depth)


async def test_what_a_step_waits_for_is_said_however_long_its_trace(temporal_address: str) -> None:
    client = await Client.connect(temporal_address, data_converter=DATA_CONVERTER)
    stub = FullDisk(pages=1)
    batch = request(next(NUMBERS))
    async with workers(client, batch.id, [CursorBatchWorkflow], stub.all()):
        handle = await client.start_workflow(
            CursorBatchWorkflow.run, batch, id=f"batch-{batch.id}", task_queue=batch.id
        )
        async with asyncio.timeout(30):
            while not (kept := await _last_failures(handle.id, client)):
                await asyncio.sleep(0.05)
        assert kept == [("StorageFull", "writing /srv/out: No space left on device")]
        await handle.terminate()


async def _last_failures(workflow_id: str, client: Client) -> list[tuple[str, str]]:
    described = await client.get_workflow_handle(workflow_id).describe()
    pending = [each for each in described.raw_description.pending_activities if each.HasField("last_failure")]
    return [(each.last_failure.application_failure_info.type, each.last_failure.message) for each in pending]
