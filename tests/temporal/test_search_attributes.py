"""Batches in Temporal's own list: the attributes by which it finds them, and what happens where there are none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from installation import temporal_server
from stub_activities import ROWS, StubActivities, request, workers
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, RemoveSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from daemon.config.settings import Settings
from daemon.temporal.payloads import DATA_CONVERTER
from daemon.temporal.search_attributes import WANTED, SearchAttributes, attributes_there
from daemon.temporal.starter import TemporalStarter, starters
from daemon.worker import WORKFLOWS
from workflows.models import Control, Pause
from workflows.requests import EnrichedPage, EnrichPage, SavedChunk, SavePage
from workflows.search_attributes import BUILD, FALLBACK_ROWS, FEED, FILE, STATE
from workflows.state import BatchRequest, BatchState

NUMBERS = count(0xA77_0000)
TURNOVER = "limit.historyCount.suggestContinueAsNew=80"
Handle = WorkflowHandle[Any, Any]


@pytest.fixture
def own_address(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose namespace is this test's alone."""
    with temporal_server(tmp_path) as address:
        yield address


async def begun(client: Client, root: Path, batch: BatchRequest, queue: str) -> Handle:
    """Start a batch as the service does."""
    settings = Settings(inbox=root / "inbox", output_root=root / "out", task_queue=queue)
    starter = (await starters(client))(settings, asyncio.Semaphore(1))
    assert await starter.start(batch, "cursor") == "started"
    return client.get_workflow_handle(f"batch-{batch.id}")


@asynccontextmanager
async def worker(client: Client, queue: str, stub: StubActivities, build: str = BUILD) -> AsyncIterator[None]:
    async with workers(client, queue, WORKFLOWS, stub.all(), build_id=f"{build}test"):
        yield


async def listed(client: Client, query: str) -> set[str]:
    return {each.id async for each in client.list_workflows(query)}


async def found(client: Client, handle: Handle, query: str) -> None:
    """Return once Temporal lists this workflow for `query`: it does so a moment after the change.

    Where the worker before had the workflow at hand, the server may wait 10 s for that one before it asks another.
    """
    for _ in range(1_600):
        if handle.id in await listed(client, f'{query} AND WorkflowId="{handle.id}"'):
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"never listed: {query}")


async def upserts(handle: Handle) -> int:
    """Return how often the run has set its attributes; Temporal's own marks of patches are other ones."""
    events = (await handle.fetch_history()).events
    fields = [each.upsert_workflow_search_attributes_event_attributes.search_attributes for each in events]
    return sum(STATE.name in each.indexed_fields for each in fields)


def falling_back(_: SavePage) -> SavedChunk:
    return SavedChunk(file="chunk", enriched=ROWS - 1, fallback=1)


async def test_a_paused_batch_is_found_by_its_state_its_feed_and_its_file(
    temporal_address: str, tmp_path: Path
) -> None:
    client = await Client.connect(temporal_address)
    batch = replace(request(next(NUMBERS)), feed="contacts")
    handle = await begun(client, tmp_path, batch, "attributes-1")
    await found(client, handle, 'BatchState="running" AND BatchFeed="contacts" AND BatchFile="users.csv"')
    stub = StubActivities(pages=3)
    stub.gate.clear()
    async with worker(client, "attributes-1", stub):
        await handle.signal("pause", Control(by="ann"))
        await found(client, handle, 'BatchState="paused"')
        await handle.signal("resume")
        await found(client, handle, 'BatchState="running"')
        stub.gate.set()
        await handle.result()
    await found(client, handle, 'BatchState="completed" AND BatchFallbackRows=0')


async def test_an_outage_is_found_by_the_state_waiting(temporal_address: str, tmp_path: Path) -> None:
    back = asyncio.Event()

    def answer(asked: EnrichPage, _: int) -> EnrichedPage:
        return EnrichedPage() if back.is_set() else EnrichedPage(outcome="api_down", retry_after_s=1)

    client = await Client.connect(temporal_address)
    handle = await begun(client, tmp_path, request(next(NUMBERS)), "attributes-2")
    async with worker(client, "attributes-2", StubActivities(pages=2, answer=answer)):
        await found(client, handle, 'BatchState="waiting"')
        back.set()
        await handle.result()
    await found(client, handle, 'BatchState="completed"')


async def test_a_batch_that_failed_or_was_cancelled_is_found_by_that(temporal_address: str, tmp_path: Path) -> None:
    def refused(_: SavePage) -> SavedChunk:
        raise ApplicationError("no folder of ours", type="OutputRefused", non_retryable=True)

    client = await Client.connect(temporal_address)
    failing = await begun(client, tmp_path, request(next(NUMBERS)), "attributes-3")
    async with worker(client, "attributes-3", StubActivities(pages=1, saved=refused)):
        await found(client, failing, 'BatchState="failed"')
    held = replace(request(next(NUMBERS)), state=BatchState(pause=Pause(since="", by="ann", reason="")))
    cancelled = await begun(client, tmp_path, held, "attributes-3")
    await found(client, cancelled, 'BatchState="paused"')
    async with worker(client, "attributes-3", StubActivities(pages=1)):
        await cancelled.signal("cancel")
        await found(client, cancelled, 'BatchState="cancelled"')


async def test_fallback_rows_are_counted_at_the_first_and_at_the_end_and_not_page_by_page(
    temporal_address: str, tmp_path: Path
) -> None:
    client = await Client.connect(temporal_address)
    handle = await begun(client, tmp_path, request(next(NUMBERS), pages_in_flight=2), "attributes-4")

    stub = StubActivities(pages=20, saved=falling_back)
    async with worker(client, "attributes-4", stub):
        await handle.result()
    assert await upserts(handle) == 2


async def test_a_run_that_goes_on_as_a_new_one_keeps_its_attributes(tmp_path: Path) -> None:
    with temporal_server(tmp_path, TURNOVER) as address:
        client = await Client.connect(address)
        handle = await begun(client, tmp_path, request(next(NUMBERS)), "attributes-5")
        async with worker(client, "attributes-5", StubActivities(pages=40, saved=falling_back)):
            await handle.result()
        runs = [each async for each in client.list_workflows('BatchFeed="default" AND BatchFile="users.csv"')]
        await found(client, handle, 'BatchState="completed"')
        assert len(runs) > 1


async def test_a_batch_that_was_started_without_attributes_goes_on_without(temporal_address: str) -> None:
    client = await Client.connect(temporal_address)
    await SearchAttributes(client).register()
    batch = request(next(NUMBERS))
    handle = await client.start_workflow("CursorBatchWorkflow", batch, id=f"batch-{batch.id}", task_queue="attrs-6")
    async with worker(client, "attrs-6", StubActivities(pages=2)):
        await handle.result()
    assert await upserts(handle) == 0


async def test_a_batch_that_an_earlier_worker_began_is_kept_up_from_the_first_task_of_a_later_one(
    temporal_address: str, tmp_path: Path
) -> None:
    """The earlier one neither knew the attributes nor, so that its tasks can be told, had a build id of ours."""
    client = await Client.connect(temporal_address)
    handle = await begun(client, tmp_path, request(next(NUMBERS)), "attributes-7")
    stub = StubActivities(pages=4)
    stub.gate.clear()
    async with worker(client, "attributes-7", stub, build="0d1787816518"):
        while not stub.open_now:
            await asyncio.sleep(0.025)
        await handle.signal("pause")
        while stub.open_now:
            await asyncio.sleep(0.025)
    assert await upserts(handle) == 0
    async with worker(client, "attributes-7", stub):
        await handle.signal("pause")
        await found(client, handle, 'BatchState="paused"')
        stub.gate.set()
        await handle.signal("resume")
        await handle.result()
    await found(client, handle, 'BatchState="completed"')
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner(), data_converter=DATA_CONVERTER)
    await replayer.replay_workflow(await handle.fetch_history())


async def test_registering_makes_what_is_missing_and_again_changes_nothing(own_address: str) -> None:
    client = await Client.connect(own_address)
    for _ in range(2):
        await SearchAttributes(client).register()
        assert await attributes_there(client) == WANTED


async def not_usable(client: Client, attributes: SearchAttributes, log: Callable[[], list[str]]) -> str:
    await attributes.register()
    assert not (await attributes.of(request(1))).search_attributes
    [line] = log()
    assert "temporal operator search-attribute create --namespace default" in line
    assert "--name BatchFallbackRows --type Int" in line
    return line


@pytest.fixture
def warnings_logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING)
    return lambda: [str(vars(each)["fields"]) for each in caplog.records if each.msg == "search_attributes.missing"]


@pytest.mark.parametrize(
    ("taken", "why"),
    [
        ({"BatchState": IndexedValueType.INDEXED_VALUE_TYPE_INT}, "another type, not ours: BatchState"),
        ({f"Other{n}": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for n in range(8)}, "cannot have more than 10"),
    ],
)
async def test_where_they_cannot_be_registered_batches_are_worked_without(
    own_address: str,
    tmp_path: Path,
    warnings_logged: Callable[[], list[str]],
    taken: dict[str, IndexedValueType.ValueType],
    why: str,
) -> None:
    client = await Client.connect(own_address)
    adding = AddSearchAttributesRequest(namespace="default", search_attributes=taken)
    await client.operator_service.add_search_attributes(adding)
    assert why in await not_usable(client, SearchAttributes(client), warnings_logged)
    handle = await begun(client, tmp_path, request(next(NUMBERS)), "attributes-8")
    async with worker(client, "attributes-8", StubActivities(pages=2)):
        await handle.result()
    assert await upserts(handle) == 0


async def test_a_start_that_is_refused_over_attributes_is_made_without_and_later_ones_have_them_again(
    own_address: str, tmp_path: Path, warnings_logged: Callable[[], list[str]]
) -> None:
    """They were removed from the namespace, or its database was made anew."""
    client = await Client.connect(own_address)
    now_s = 0.0
    attributes = SearchAttributes(client, clock=lambda: now_s)
    await attributes.register()
    removing = RemoveSearchAttributesRequest(namespace="default", search_attributes=["BatchState"])
    await client.operator_service.remove_search_attributes(removing)
    settings = Settings(inbox=tmp_path / "inbox", output_root=tmp_path / "out", task_queue="nobody")
    starter = TemporalStarter(client, settings, asyncio.Semaphore(1), listed=attributes)
    assert await starter.start(request(next(NUMBERS)), "cursor") == "started"
    assert len(warnings_logged()) == 1
    now_s = 61.0
    assert {each.key.name for each in await attributes.of(request(1))} == {FEED.name, FILE.name, STATE.name}
    assert FALLBACK_ROWS.name in await attributes_there(client)


async def test_doctor_says_which_are_missing_and_what_to_do(
    runner: BatchctlRunner, own_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", own_address)
    checks = {each["check"]: each for each in (await runner.run_in_thread("doctor", "--json")).json()["checks"]}
    assert checks["attributes"]["level"] == "WARN"
    assert "not registered: BatchFeed, BatchFile, BatchState, BatchFallbackRows" in checks["attributes"]["found"]
    assert "temporal operator search-attribute create" in checks["attributes"]["todo"]
