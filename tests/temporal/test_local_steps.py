"""The short steps of a small file are local activities: no round trip of their own, and nothing else is different."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from intake_site import events
from stub_activities import StubActivities, request, workers
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from daemon.logs.step_log import StepLog
from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow
from workflows.contract import LOCAL_MAX_BYTES, steps_are_local
from workflows.errors import SourceChanged, StorageFull
from workflows.requests import FileSource, SavedChunk, SavePage

NUMBERS = count(10_001)
BATCHES = [CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow]


@asynccontextmanager
async def ended(
    address: str,
    stub: StubActivities,
    workflow: Any = InMemoryBatchWorkflow,
    *,
    size_bytes: int = 1_000,
    together: bool = False,
) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """Run a batch of a file of that size to its end, sandboxed, and yield its handle."""
    client = await Client.connect(address)
    batch = request(next(NUMBERS))
    source = replace(batch.source, size_bytes=size_bytes)
    batch = replace(batch, source=source, local_steps=steps_are_local(size_bytes), steps_together=together)
    queue = f"queue-{batch.id}"
    async with workers(client, queue, WORKFLOWS, stub.all(), interceptors=[StepLog()]):
        handle = await client.start_workflow(workflow.run, batch, id=f"batch-{batch.id}", task_queue=queue)
        try:
            await handle.result()
        except WorkflowFailureError as error:
            stub.failure = error
        yield handle


async def scheduled(handle: WorkflowHandle[Any, Any]) -> Counter[str]:
    """Count the ordinary activities and children in the history of a batch, by name."""
    names: Counter[str] = Counter()
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            names[event.activity_task_scheduled_event_attributes.activity_type.name] += 1
        if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            names["child"] += 1
    return names


async def local_steps(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Return the names of the local activities in the history of a batch, in order."""
    history = await handle.fetch_history()
    markers = [each.marker_recorded_event_attributes for each in history.events]
    found = [json.loads(each.details["data"].payloads[0].data) for each in markers if "data" in each.details]
    return [each["activity_type"] for each in found]


async def test_the_steps_of_a_small_file_go_together_around_the_calls(temporal_address: str) -> None:
    stub = StubActivities(pages=1)
    async with ended(temporal_address, stub, together=True) as handle:
        assert await scheduled(handle) == {"enrich_chunk": 1}
        assert await local_steps(handle) == ["load_next_csv_page", "conclude_batch"]
        result = await handle.result()
    assert (result.status, result.counts.records, result.manifest) == ("complete", 10, "manifest.json")
    assert [each.outcome for each in stub.filed] == ["completed"]


async def test_an_end_that_does_not_work_at_once_is_made_by_ordinary_activities(temporal_address: str) -> None:
    stub = StubActivities(pages=1)
    filed, attempts = stub.filed, count(1)

    class FullAtFirst(list[FileSource]):
        def append(self, each: FileSource) -> None:
            if next(attempts) < 3:
                raise StorageFull("the disk is full")
            filed.append(each)

    stub.filed = FullAtFirst()
    async with ended(temporal_address, stub, together=True) as handle:
        assert await scheduled(handle) == {"enrich_chunk": 1, "file_source": 1}
    assert [each.outcome for each in filed] == ["completed"]


async def test_a_chunk_that_cannot_be_saved_with_its_rows_is_saved_by_the_next_attempt(temporal_address: str) -> None:
    attempts = count(1)

    def saved(_: SavePage) -> SavedChunk:
        if next(attempts) < 3:
            raise StorageFull("the disk is full")
        return SavedChunk(file="chunk", enriched=10)

    stub = StubActivities(pages=1, saved=saved)
    async with ended(temporal_address, stub, together=True) as handle:
        assert await scheduled(handle) == {"enrich_chunk": 1}
    assert next(attempts) == 4
    assert [each.outcome for each in stub.filed] == ["completed"]


@pytest.mark.parametrize("workflow", BATCHES)
async def test_a_small_file_of_one_page_costs_one_activity_and_no_child(temporal_address: str, workflow: Any) -> None:
    stub = StubActivities(pages=1)
    async with ended(temporal_address, stub, workflow) as handle:
        assert await scheduled(handle) == {"enrich_chunk": 1}
    assert [each.outcome for each in stub.filed] == ["completed"]


async def test_the_pages_of_a_small_file_of_more_are_loaded_by_a_child(temporal_address: str) -> None:
    stub = StubActivities(pages=3)
    async with ended(temporal_address, stub) as handle:
        assert await scheduled(handle) == {"child": 1, "enrich_chunk": 3}
    assert sorted(stub.enriched) == [1, 2, 3]


async def test_the_steps_of_a_large_file_are_ordinary_activities(temporal_address: str) -> None:
    stub = StubActivities(pages=1)
    async with ended(temporal_address, stub, CursorBatchWorkflow, size_bytes=LOCAL_MAX_BYTES + 1) as handle:
        names = await scheduled(handle)
    assert names == {
        "load_next_csv_page": 1,
        "enrich_chunk": 1,
        "save_chunk": 1,
        "write_manifest": 1,
        "file_source": 1,
    }


async def test_a_short_step_that_fails_at_first_is_done_by_an_ordinary_activity(
    temporal_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its retries are seen from outside, as those of a large file are, and add nothing to the history."""
    caplog.set_level(logging.INFO)
    attempts = count(1)

    def saved(_: SavePage) -> SavedChunk:
        if next(attempts) < 3:
            raise StorageFull("the disk is full")
        return SavedChunk(file="chunk", enriched=10)

    stub = StubActivities(pages=1, saved=saved)
    async with ended(temporal_address, stub) as handle:
        assert await scheduled(handle) == {"enrich_chunk": 1, "save_chunk": 1}
    assert next(attempts) == 4
    assert [each.outcome for each in stub.filed] == ["completed"]
    assert [each["on"] for each in events(caplog, "batch.waiting")] == ["disk"]
    assert len(events(caplog, "batch.running")) == 1


async def test_a_short_step_that_cannot_work_is_tried_once_and_fails_the_batch_with_its_reason(
    temporal_address: str,
) -> None:
    attempts = count(1)

    def saved(_: SavePage) -> SavedChunk:
        next(attempts)
        raise SourceChanged("users.csv was changed")

    stub = StubActivities(pages=1, saved=saved)
    async with ended(temporal_address, stub) as handle:
        assert await scheduled(handle) == {"enrich_chunk": 1, "file_source": 1}
    assert next(attempts) == 2
    assert [(each.outcome, each.reason, each.error_type) for each in stub.filed] == [
        ("failed", "users.csv was changed", "SourceChanged")
    ]
