"""A retry of fallback rows while it runs: shown by status, steered by pause, resume, set and cancel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import CSV, FinishedWork
from stub_activities import StubActivities, workers
from temporalio.client import Client, WorkflowHandle

from workflows.batch_workflows import RetryFailedWorkflow
from workflows.requests import EnrichedPage, EnrichPage

NUMBERS = count(1)


@pytest.fixture
def work(runner: BatchctlRunner) -> FinishedWork:
    """A completed batch with two fallback rows, one on each of two pages; its id is its own."""
    made = FinishedWork(runner.output_root.parent, f"{CSV}{next(NUMBERS)},Hal\n")
    made.run()
    runner.completed(id=made.id, source=made.batch.source)
    return made


@asynccontextmanager
async def worker(client: Client, stub: StubActivities) -> AsyncIterator[None]:
    async with workers(client, os.environ["BATCH_TASK_QUEUE"], [RetryFailedWorkflow], stub.all()):
        yield


async def started(runner: BatchctlRunner, client: Client, work: FinishedWork) -> WorkflowHandle[Any, Any]:
    """Start the retry as an operator does."""
    answer = await runner.run_in_thread("retry-failed", work.id, "--no-wait")
    assert answer.code == 0, answer.err
    return client.get_workflow_handle_for(RetryFailedWorkflow.run, f"batch-{work.id}-g2")


async def retry_once(runner: BatchctlRunner, work: FinishedWork, wanted: Callable[[Any], bool]) -> Any:
    """Return what status says of the retry once it is as wanted."""
    for _ in range(200):
        retry = (await runner.run_in_thread("status", work.id, "--json")).json()["retry"]
        if retry and wanted(retry):
            return retry
        await asyncio.sleep(0.05)
    raise AssertionError(retry)


def held() -> StubActivities:
    stub = StubActivities(pages=2)
    stub.gate.clear()
    return stub


async def test_a_running_retry_is_shown_and_paused_resumed_limited_and_ended(
    runner: BatchctlRunner, client: Client, work: FinishedWork
) -> None:
    stub = held()
    async with worker(client, stub):
        handle = await started(runner, client, work)
        retry = await retry_once(runner, work, lambda it: it["state"] == "running")
        assert (retry["generation"], retry["workflow_id"]) == (2, f"batch-{work.id}-g2")
        assert retry["rows"] == {"total": 2, "done": 0}
        work.retry_page(1)
        shown = (await runner.run_in_thread("status", work.id)).out
        assert "state     completed" in shown
        assert "retry     generation 2: running, 1 of 2 rows" in shown

        paused = await runner.run_in_thread("pause", work.id, "--reason", "lunch")
        assert (paused.code, paused.err) == (0, f"batchctl: {work.id} (retry, generation 2) is paused\n")
        assert stub.open_now == 0
        retry = (await runner.run_in_thread("status", work.id, "--json")).json()["retry"]
        assert (retry["state"], retry["paused"]["reason"]) == ("paused", "lunch")
        assert "already paused" in (await runner.run_in_thread("pause", work.id)).err
        limited = await runner.run_in_thread("set", work.id, "concurrency=3")
        assert (limited.code, "(retry, generation 2): concurrency 3" in limited.err) == (0, True), limited.err

        resumed = await runner.run_in_thread("resume", work.id)
        assert (resumed.code, "(retry, generation 2) is running" in resumed.err) == (0, True), resumed.err
        cancelled = await runner.run_in_thread("cancel", work.id, "--reason", "enough")
        assert (cancelled.code, "what is done becomes generation 2" in cancelled.err) == (0, True), cancelled.err
        await retry_once(runner, work, lambda it: it["cancelling"])
        assert "is already being cancelled" in (await runner.run_in_thread("cancel", work.id)).err
        stub.gate.set()
        assert (await handle.result()).status == "cancelled"
        assert (await runner.run_in_thread("status", work.id, "--json")).json()["retry"] is None
        refused = await runner.run_in_thread("pause", work.id)
        assert (refused.code, f"{work.id} is completed and cannot be paused" in refused.err) == (1, True)


async def test_a_retry_that_waits_for_the_api_or_for_a_worker_says_so(
    runner: BatchctlRunner, client: Client, work: FinishedWork
) -> None:
    def down(_: EnrichPage, __: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_down", detail="503", retry_after_s=30)

    handle = await started(runner, client, work)
    retry = await retry_once(runner, work, lambda it: True)
    assert (retry["state"], retry["waiting_on"]) == ("waiting", "worker")
    async with worker(client, StubActivities(pages=1, answer=down)):
        retry = await retry_once(runner, work, lambda it: it["waiting_on"] == "api")
        assert retry["waiting"]["detail"] == "503"
        assert "generation 2: waiting for the api since" in (await runner.run_in_thread("status", work.id)).out
        cancelled = await runner.run_in_thread("cancel", work.id, "--wait")
        assert cancelled.code == 0, cancelled.err
        assert (await handle.result()).status == "cancelled"


async def test_where_temporal_does_not_answer_a_finished_batch_is_shown_without_its_retry(
    runner: BatchctlRunner, work: FinishedWork
) -> None:
    runner.give_up_soon()
    runner.set(TEMPORAL_ADDRESS="127.0.0.1:1")
    shown = await runner.run_in_thread("status", work.id, "--json")
    assert (shown.code, shown.json()["state"], shown.json()["retry"]) == (0, "completed", None)
    assert "whether a retry of its fallback rows runs is not known" in shown.err
    steered = await runner.run_in_thread("pause", work.id)
    assert (steered.code, f"{work.id} is completed" in steered.err) == (3, True), steered.err
