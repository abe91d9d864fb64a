"""A retry of fallback rows while it runs: shown by status, steered by pause, resume, set and cancel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from batchctl_desk import Desk
from finished_work import CSV, FinishedWork
from stub_activities import StubActivities, workers
from temporalio.client import Client, WorkflowHandle

from workflows.batch_workflows import RetryFailedWorkflow
from workflows.requests import EnrichedPage, EnrichPage

NUMBERS = count(1)


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], temporal_address: str
) -> Desk:
    made = Desk(tmp_path, monkeypatch, capsys)
    made.set(TEMPORAL_ADDRESS=temporal_address, BATCH_TASK_QUEUE=f"retry-{next(NUMBERS)}")
    return made


@pytest.fixture
def work(desk: Desk) -> FinishedWork:
    """A completed batch with two fallback rows, one on each of two pages; its id is its own."""
    made = FinishedWork(desk.output_root.parent, f"{CSV}{next(NUMBERS)},Hal\n")
    made.run()
    desk.completed(id=made.id, source=made.batch.source)
    return made


@asynccontextmanager
async def worker(client: Client, stub: StubActivities) -> AsyncIterator[None]:
    async with workers(client, os.environ["BATCH_TASK_QUEUE"], [RetryFailedWorkflow], stub.all()):
        yield


async def started(desk: Desk, client: Client, work: FinishedWork) -> WorkflowHandle[Any, Any]:
    """Start the retry as an operator does."""
    answer = await desk.ask("retry-failed", work.id, "--no-wait")
    assert answer.code == 0, answer.err
    return client.get_workflow_handle_for(RetryFailedWorkflow.run, f"batch-{work.id}-g2")


async def retry_once(desk: Desk, work: FinishedWork, wanted: Callable[[Any], bool]) -> Any:
    """Return what status says of the retry once it is as wanted."""
    for _ in range(200):
        retry = (await desk.ask("status", work.id, "--json")).json()["retry"]
        if retry and wanted(retry):
            return retry
        await asyncio.sleep(0.05)
    raise AssertionError(retry)


def held() -> StubActivities:
    stub = StubActivities(pages=2)
    stub.gate.clear()
    return stub


async def test_a_running_retry_is_shown_and_paused_resumed_limited_and_ended(
    desk: Desk, client: Client, work: FinishedWork
) -> None:
    stub = held()
    async with worker(client, stub):
        handle = await started(desk, client, work)
        retry = await retry_once(desk, work, lambda it: it["state"] == "running")
        assert (retry["generation"], retry["workflow_id"]) == (2, f"batch-{work.id}-g2")
        assert retry["rows"] == {"total": 2, "done": 0}
        work.retry_page(1)
        shown = (await desk.ask("status", work.id)).out
        assert "state     completed" in shown
        assert "retry     generation 2: running, 1 of 2 rows" in shown

        paused = await desk.ask("pause", work.id, "--reason", "lunch")
        assert (paused.code, paused.err) == (0, f"batchctl: {work.id} (retry, generation 2) is paused\n")
        assert stub.open_now == 0
        retry = (await desk.ask("status", work.id, "--json")).json()["retry"]
        assert (retry["state"], retry["paused"]["reason"]) == ("paused", "lunch")
        assert "already paused" in (await desk.ask("pause", work.id)).err
        limited = await desk.ask("set", work.id, "concurrency=3")
        assert (limited.code, "(retry, generation 2): concurrency 3" in limited.err) == (0, True), limited.err

        resumed = await desk.ask("resume", work.id)
        assert (resumed.code, "(retry, generation 2) is running" in resumed.err) == (0, True), resumed.err
        cancelled = await desk.ask("cancel", work.id, "--reason", "enough")
        assert (cancelled.code, "what is done becomes generation 2" in cancelled.err) == (0, True), cancelled.err
        await retry_once(desk, work, lambda it: it["cancelling"])
        assert "is already being cancelled" in (await desk.ask("cancel", work.id)).err
        stub.gate.set()
        assert (await handle.result()).status == "cancelled"
        assert (await desk.ask("status", work.id, "--json")).json()["retry"] is None
        refused = await desk.ask("pause", work.id)
        assert (refused.code, f"{work.id} is completed and cannot be paused" in refused.err) == (1, True)


async def test_a_retry_that_waits_for_the_api_or_for_a_worker_says_so(
    desk: Desk, client: Client, work: FinishedWork
) -> None:
    def down(_: EnrichPage, __: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_down", detail="503", retry_after_s=30)

    handle = await started(desk, client, work)
    retry = await retry_once(desk, work, lambda it: True)
    assert (retry["state"], retry["waiting_on"]) == ("waiting", "worker")
    async with worker(client, StubActivities(pages=1, answer=down)):
        retry = await retry_once(desk, work, lambda it: it["waiting_on"] == "api")
        assert retry["waiting"]["detail"] == "503"
        assert "generation 2: waiting for the api since" in (await desk.ask("status", work.id)).out
        cancelled = await desk.ask("cancel", work.id, "--wait")
        assert cancelled.code == 0, cancelled.err
        assert (await handle.result()).status == "cancelled"


async def test_where_temporal_does_not_answer_a_finished_batch_is_shown_without_its_retry(
    desk: Desk, work: FinishedWork
) -> None:
    desk.give_up_soon()
    desk.set(TEMPORAL_ADDRESS="127.0.0.1:1")
    shown = await desk.ask("status", work.id, "--json")
    assert (shown.code, shown.json()["state"], shown.json()["retry"]) == (0, "completed", None)
    assert "whether a retry of its fallback rows runs is not known" in shown.err
    steered = await desk.ask("pause", work.id)
    assert (steered.code, f"{work.id} is completed" in steered.err) == (3, True), steered.err
