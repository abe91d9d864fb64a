"""What the workflows decide, against a real Temporal server with activities that touch nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from installation import temporal_server
from stub_activities import ROWS, StubActivities, request, workers
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow
from workflows.models import CallLimits, Control, LimitsChange, Page
from workflows.requests import (
    EnrichedPage,
    EnrichPage,
    FileSource,
    LoadedPages,
    LoadPages,
    SavedChunk,
    SavePage,
    WriteManifest,
    WrittenManifest,
)

BIN = Path(sys.executable).parent
NUMBERS = count(1)


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


@asynccontextmanager
async def worker(client: Client, stub: StubActivities) -> AsyncIterator[str]:
    """Run the workflows, sandboxed so that anything not deterministic is caught, on a queue of their own."""
    queue = f"queue-{next(NUMBERS)}"
    async with workers(client, queue, WORKFLOWS, stub.all()):
        yield queue


async def started(
    client: Client, queue: str, workflow: Any = CursorBatchWorkflow, **shape: object
) -> WorkflowHandle[Any, Any]:
    batch = request(next(NUMBERS), **shape)
    return await client.start_workflow(workflow.run, batch, id=f"batch-{batch.id}", task_queue=queue)


async def state_is(handle: WorkflowHandle[Any, Any], state: str) -> Any:
    """Return the progress once its state is `state`."""
    for _ in range(400):
        progress = await handle.query(CursorBatchWorkflow.progress)
        if progress.state == state:
            return progress
        await _tick()
    raise AssertionError(f"never {state}: {progress}")


async def _tick() -> None:
    await asyncio.sleep(0.025)


@pytest.mark.parametrize("workflow", [CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow])
async def test_every_page_is_enriched_once_and_the_manifest_comes_before_the_filing(
    client: Client, workflow: Any
) -> None:
    stub = StubActivities(pages=7)
    async with worker(client, stub) as queue:
        result = await (await started(client, queue, workflow)).result()
    assert sorted(stub.enriched) == [1, 2, 3, 4, 5, 6, 7]
    assert result.status == "complete"
    assert [each.outcome for each in stub.filed] == ["completed"]
    assert stub.manifests[0].pages == 7


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_a_batch_has_not_ended_before_its_source_is_filed(client: Client, outcome: str) -> None:
    filing = asyncio.Event()

    class Blocked(StubActivities):
        @activity.defn(name="file_source")
        async def file_source(self, request: FileSource) -> None:
            self.filed.append(request)
            await filing.wait()

    def refused(_: SavePage) -> SavedChunk:
        raise ApplicationError("no folder of ours", type="OutputRefused", non_retryable=True)

    stub = Blocked(saved=refused) if outcome == "failed" else Blocked()
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        while not stub.filed:
            await _tick()
        assert stub.filed[0].outcome == outcome
        assert (await handle.query(CursorBatchWorkflow.progress)).state == "running"
        filing.set()
        await state_is(handle, outcome)


async def test_pages_overlap_up_to_the_setting_and_no_further(client: Client) -> None:
    stub = StubActivities(pages=12)
    stub.gate.clear()
    async with worker(client, stub) as queue:
        handle = await started(client, queue, pages_in_flight=3)
        while stub.open_now < 3:
            await _tick()
        stub.gate.set()
        await handle.result()
    assert stub.most_open == 3


async def test_a_pause_calls_off_the_pages_in_flight_and_resume_goes_on_with_them(client: Client) -> None:
    stub = StubActivities(pages=6)
    stub.gate.clear()
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        while stub.open_now < 4:
            await _tick()
        for _ in range(3):
            await handle.signal(CursorBatchWorkflow.pause, Control(by="ann", reason="lunch"))
        progress = await state_is(handle, "paused")
        while stub.open_now:
            await _tick()
        assert (progress.paused.by, progress.paused.reason) == ("ann", "lunch")
        stub.gate.set()
        await handle.signal(CursorBatchWorkflow.resume)
        await handle.result()
    assert sorted(stub.enriched) == [1, 2, 3, 4, 5, 6]
    assert [(each.by, each.reason) for each in stub.manifests[0].pauses] == [("ann", "lunch")]


async def test_a_signal_without_a_payload_pauses_too(client: Client) -> None:
    stub = StubActivities()
    stub.gate.clear()
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        await handle.signal("pause")
        await state_is(handle, "paused")
        stub.gate.set()
        await handle.signal("resume")
        assert (await handle.result()).status == "complete"


async def test_a_pause_before_the_first_page_holds_the_whole_batch(client: Client) -> None:
    stub = StubActivities()
    batch = request(next(NUMBERS))
    handle = await client.start_workflow(
        CursorBatchWorkflow.run, batch, id=f"batch-{batch.id}", task_queue="early", start_signal="pause"
    )
    async with workers(client, "early", WORKFLOWS, stub.all()):
        await state_is(handle, "paused")
        assert stub.enriched == []
        await handle.signal("resume")
        await handle.result()


async def test_cancel_finishes_the_open_pages_and_ends_with_a_cancelled_manifest(client: Client) -> None:
    stub = StubActivities(pages=1_000)
    stub.gate.clear()
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        while stub.open_now < 4:
            await _tick()
        await handle.signal(CursorBatchWorkflow.cancel, Control(by="ann", reason="wrong file"))
        stub.gate.set()
        result = await handle.result()
    assert result.status == "cancelled"
    assert len(stub.enriched) <= 5
    assert stub.manifests[0].cancelled == Control(by="ann", reason="wrong file")
    assert stub.filed[0].outcome == "cancelled"
    assert "wrong file" in stub.filed[0].reason


async def test_a_cancel_from_temporals_own_page_ends_the_same_way(client: Client) -> None:
    stub = StubActivities(pages=1_000)
    stub.gate.clear()
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        while stub.open_now < 4:
            await _tick()
        await handle.cancel()
        stub.gate.set()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert stub.filed[0].outcome == "cancelled"
    assert stub.manifests[0].cancelled is not None


async def test_a_cancelled_batch_does_not_wait_for_an_api_that_is_down(client: Client) -> None:
    down = EnrichedPage(outcome="api_down", retry_after_s=3_600)
    stub = StubActivities(pages=3, answer=lambda _, __: down)
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        await state_is(handle, "waiting")
        await handle.signal("cancel")
        assert (await handle.result()).status == "cancelled"


class UnreadableSource(StubActivities):
    """From its second page on, the file cannot be read; nor, then, for the manifest, unless `provable`."""

    def __init__(self, *, first_pages: int, provable: bool) -> None:
        super().__init__(pages=9)
        self.first_pages = first_pages
        self.provable = provable
        self.failed_loads = 0

    @activity.defn(name="load_next_csv_page")
    async def load_next_csv_page(self, request: LoadPages) -> LoadedPages:
        if request.cursor.page > self.first_pages:
            self.failed_loads += 1
            raise ApplicationError("Input/output error", type="TransientError")
        return await super().load_next_csv_page(request)

    @activity.defn(name="load_csv_chunks")
    async def load_csv_chunks(self, request: LoadPages) -> LoadedPages:
        return await self.load_next_csv_page(request)

    @activity.defn(name="write_manifest")
    async def write_manifest(self, request: WriteManifest) -> WrittenManifest:
        if not self.provable:
            raise ApplicationError("Input/output error", type="TransientError")
        return await super().write_manifest(request)


@pytest.mark.parametrize("workflow", [CursorBatchWorkflow, InMemoryBatchWorkflow])
@pytest.mark.parametrize("by", ["signal", "temporal"])
async def test_a_cancel_ends_a_batch_whose_load_fails_again_and_again(client: Client, workflow: Any, by: str) -> None:
    stub = UnreadableSource(first_pages=0 if workflow is InMemoryBatchWorkflow else 1, provable=True)
    async with worker(client, stub) as queue:
        handle = await started(client, queue, workflow)
        while stub.failed_loads < 2:
            await _tick()
        await (handle.signal("cancel") if by == "signal" else handle.cancel())
        with suppress(WorkflowFailureError):
            assert (await handle.result()).status == "cancelled"
    assert [each.outcome for each in stub.filed] == ["cancelled"]
    assert stub.filed[0].manifest == "manifest.json"


async def test_a_cancelled_batch_whose_manifest_cannot_be_written_for_its_source_ends_without_one() -> None:
    stub = UnreadableSource(first_pages=1, provable=False)
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(BIN / "temporal-test-server")
        ) as env,
        worker(env.client, stub) as queue,
    ):
        handle = await started(env.client, queue)
        while not stub.failed_loads:
            await _tick()
        await handle.signal("cancel", Control(by="ann", reason="bad disk"))
        assert (await handle.result()).manifest == ""
    [filed] = stub.filed
    assert (filed.outcome, filed.manifest, filed.counts.records) == ("cancelled", None, ROWS)
    assert filed.reason == "cancelled by ann: bad disk; no manifest could be written of what was done"


async def test_an_error_that_cannot_heal_fails_the_batch_with_its_reason_and_files_the_source(client: Client) -> None:
    def answer(asked: EnrichPage, _: int) -> EnrichedPage:
        raise ApplicationError("users.csv has changed since it was claimed", type="SourceChanged")

    stub = StubActivities(answer=answer)
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert "has changed" in str(raised.value.cause)
    assert (stub.filed[0].outcome, stub.filed[0].error_type) == ("failed", "SourceChanged")
    assert stub.filed[0].reason == "users.csv has changed since it was claimed"


async def test_refused_credentials_pause_the_batch_with_a_clear_word(client: Client) -> None:
    def answer(_: EnrichPage, attempt: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_refused", detail="the API answered 401") if attempt == 1 else EnrichedPage()

    stub = StubActivities(pages=1, answer=answer)
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        progress = await state_is(handle, "paused")
        assert progress.paused.reason == "the API answered 401"
        await handle.signal("resume")
        await handle.result()


async def test_too_many_fallback_rows_pause_the_batch_and_a_resume_is_not_asked_again(client: Client) -> None:
    stub = StubActivities(pages=40, saved=lambda _: SavedChunk(file="chunk", enriched=5, fallback=ROWS - 5))
    async with worker(client, stub) as queue:
        handle = await started(client, queue, max_fallback="10%")
        progress = await state_is(handle, "paused")
        assert "more than BATCH_MAX_FALLBACK=10% allows" in progress.paused.reason
        assert progress.counts.records < 40 * ROWS
        await handle.signal("resume")
        await handle.result()
    assert len(stub.manifests[0].pauses) == 1


@pytest.mark.parametrize("end", ["resume", "cancel"])
async def test_a_limit_past_with_the_last_page_is_asked_about_before_there_is_a_manifest(
    client: Client, end: str
) -> None:
    stub = StubActivities(pages=1, saved=lambda _: SavedChunk(file="chunk", enriched=5, fallback=ROWS - 5))
    async with worker(client, stub) as queue:
        handle = await started(client, queue, max_fallback="10%", limit_sample_rows=ROWS + 1)
        await state_is(handle, "paused")
        assert stub.manifests == []
        await handle.signal(end)
        await handle.result()
    assert (stub.manifests[0].cancelled is not None) == (end == "cancel")


async def test_a_resume_after_refused_credentials_accepts_no_limit(client: Client) -> None:
    def answer(_: EnrichPage, attempt: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_refused", detail="the API answered 401") if attempt == 1 else EnrichedPage()

    stub = StubActivities(pages=1, answer=answer, saved=lambda _: SavedChunk(file="chunk", fallback=ROWS))
    async with worker(client, stub) as queue:
        handle = await started(client, queue, max_fallback="0")
        assert "401" in (await state_is(handle, "paused")).paused.reason
        await handle.signal("resume")
        while "MAX_FALLBACK" not in (await state_is(handle, "paused")).paused.reason:
            await asyncio.sleep(0.02)
        await handle.signal("resume")
        await handle.result()


async def test_each_limit_is_asked_about_by_itself(client: Client) -> None:
    stub = StubActivities(pages=1, saved=lambda _: SavedChunk(file="chunk", fallback=ROWS - 5, rejected=5))
    async with worker(client, stub) as queue:
        handle = await started(client, queue, max_fallback="0", max_rejected="0")
        assert "MAX_FALLBACK" in (await state_is(handle, "paused")).paused.reason
        await handle.signal("resume")
        assert "MAX_REJECTED" in (await state_is(handle, "paused")).paused.reason
        await handle.signal("resume")
        await handle.result()
    assert len(stub.manifests[0].pauses) == 2


async def test_a_page_whose_durable_rows_are_gone_is_enriched_again(client: Client) -> None:
    lost: set[int] = {2}

    def saved(asked: SavePage) -> SavedChunk:
        if asked.page.number in lost:
            lost.discard(asked.page.number)
            return SavedChunk(file=None)
        return SavedChunk(file="chunk", enriched=ROWS)

    stub = StubActivities(pages=3, saved=saved)
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        await handle.result()
        assert (await handle.query(CursorBatchWorkflow.progress)).counts.records == 3 * ROWS
    assert sorted(stub.enriched) == [1, 2, 2, 3]


async def test_a_chunk_found_damaged_at_the_end_is_worked_again_before_the_manifest(client: Client) -> None:
    stub = StubActivities(pages=3)
    stub.damaged = [Page(number=2, source_start=200, source_end=300, first_row=11, records=ROWS)]
    async with worker(client, stub) as queue:
        await (await started(client, queue)).result()
    assert sorted(stub.enriched) == [1, 2, 2, 3]
    assert len(stub.manifests) == 2


async def test_limits_are_changed_by_a_validated_update_that_the_manifest_remembers(client: Client) -> None:
    seen: list[CallLimits] = []
    stub = StubActivities(pages=8, answer=lambda asked, _: (seen.append(asked.limits), EnrichedPage())[1])
    stub.gate.clear()
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(CursorBatchWorkflow.set_limits, LimitsChange(concurrency=0))
        limits = await handle.execute_update(CursorBatchWorkflow.set_limits, LimitsChange(concurrency=3, by="ann"))
        assert limits == CallLimits(concurrency=3)
        stub.gate.set()
        await handle.result()
    assert seen[-1] == CallLimits(concurrency=3)
    assert [(each.concurrency, each.by) for each in stub.manifests[0].limits_log] == [(3, "ann")]


async def test_a_long_batch_renews_its_history_and_carries_pause_counts_and_open_pages(tmp_path: Path) -> None:
    refused: set[int] = set()

    def answer(asked: EnrichPage, _: int) -> EnrichedPage:
        if asked.page.number % 10 == 0 and asked.page.number not in refused:
            refused.add(asked.page.number)
            return EnrichedPage(outcome="api_down", retry_after_s=1)
        return EnrichedPage(outcome="api_up") if asked.probe else EnrichedPage()

    stub = StubActivities(pages=60, answer=answer)
    with temporal_server(tmp_path, "limit.historyCount.suggestContinueAsNew=80") as address:
        client = await Client.connect(address)
        async with worker(client, stub) as queue:
            handle = await started(client, queue)
            await handle.signal("pause", Control(reason="early"))
            await state_is(handle, "paused")
            await handle.signal("resume")
            result = await handle.result()
    written = stub.manifests[0]
    assert len(set(written.run_ids)) > 3
    assert [each.reason for each in written.pauses] == ["early"]
    assert stub.filed[0].counts.records == 60 * ROWS
    assert result.status == "complete"


async def test_a_limit_set_in_an_outage_does_not_keep_the_page_that_asks_from_asking(client: Client) -> None:
    def answer(asked: EnrichPage, attempt: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_down", retry_after_s=1) if attempt == 1 else EnrichedPage()

    stub = StubActivities(pages=3, answer=answer)
    stub.last_in = 1
    async with worker(client, stub) as queue:
        handle = await started(client, queue)
        await state_is(handle, "waiting")
        await handle.execute_update(CursorBatchWorkflow.set_limits, LimitsChange(concurrency=1))
        assert (await handle.result()).status == "complete"
    assert stub.enriched[0] != 1, "another page than the first was the one to ask"


async def test_an_outage_of_a_day_is_a_wait_with_one_page_asking_and_no_row_lost() -> None:
    """The server's clock is helped along: each probe comes four minutes of its time after the one before."""
    probes = 24 * 15

    def answer(asked: EnrichPage, attempt: int) -> EnrichedPage:
        if len(stub.enriched) < probes:
            return EnrichedPage(outcome="api_down", retry_after_s=240, detail="connect")
        return EnrichedPage(outcome="api_up") if asked.probe else EnrichedPage()

    stub = StubActivities(pages=6, answer=answer)
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(BIN / "temporal-test-server")
        ) as env,
        worker(env.client, stub) as queue,
    ):
        before = await env.get_current_time()
        result = await (await started(env.client, queue)).result()
        took = await env.get_current_time() - before
    assert result.status == "complete"
    assert took > timedelta(hours=23)
    assert sum(stub.attempts.values()) - probes <= 2 * 6 + 4
