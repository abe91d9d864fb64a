"""`pause` and `resume` of many batches by one word, against a real Temporal server and the real workflows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from batchctl_runner import BatchctlRunner
from finished_work import CSV, FinishedWork
from live_batches import Batches, eventually, held
from stub_activities import ROWS, StubActivities, workers
from temporalio.client import Client

from activities.registry.control_states import ControlStates
from workflows.batch_workflows import RetryFailedWorkflow
from workflows.models import Control, ControlState, Pause
from workflows.requests import EnrichedPage, EnrichPage, SavedChunk

NUMBERS = count(1)


class Expired:
    """An API whose token is refused until it is mended."""

    def __init__(self) -> None:
        self.mended = False

    def __call__(self, _: EnrichPage, attempt: int) -> EnrichedPage:
        return EnrichedPage() if self.mended else EnrichedPage(outcome="api_refused", detail="the API answered 401")


async def state_is(runner: BatchctlRunner, batch_id: str, wanted: str) -> None:
    await eventually(
        lambda: runner.run_in_thread("status", batch_id, "--json"),
        lambda it: it["state"] == wanted,
    )


async def test_after_a_token_has_expired_one_word_resumes_what_was_refused_and_leaves_what_a_person_paused(
    runner: BatchctlRunner, batches: Batches
) -> None:
    expired = Expired()
    async with batches.worker(StubActivities(pages=2, answer=expired)):
        first, handle = await batches.started()
        second, _ = await batches.started()
        wanted, of_ann = await batches.started()
        await of_ann.signal("pause", Control(by="ann@host", reason="lunch"))
        for each in (first, second, wanted):
            await state_is(runner, each.id, "paused")

        dry = await runner.run_in_thread("resume", "--all", "--dry-run")
        assert (dry.code, "2 would be resumed, 1 left" in dry.err) == (0, True), dry.err
        await state_is(runner, first.id, "paused")

        expired.mended = True
        resumed = await runner.run_in_thread("resume", "--all")
        assert (resumed.code, "2 resumed, 1 left" in resumed.err) == (0, True), resumed.err
        assert f"{first.id} is running" in resumed.err
        assert f"{wanted.id} is left, paused by a person: lunch" in resumed.err
        assert "1 batch is left, paused by a person; --paused-by person takes it" in resumed.err
        assert (await handle.result()).counts.records == 2 * ROWS
        assert (await runner.run_in_thread("status", wanted.id, "--json")).json()["state"] == "paused"

        rest = await runner.run_in_thread("resume", "--all", "--paused-by", "person", "--json")
        [document] = [each for each in rest.json()["batches"] if each["id"] == wanted.id]
        assert (rest.code, document["outcome"], document["paused_by"]) == (0, "done", "person")
        assert document["paused"]["by"] == "ann@host"
        await of_ann.result()
        again = await runner.run_in_thread("resume", "--all", "--paused-by", "anything")
        assert (again.code, "no batch is paused" in again.err) == (0, True)


async def test_a_batch_that_asks_about_a_limit_goes_on_only_where_that_is_meant(
    runner: BatchctlRunner, batches: Batches
) -> None:
    stub = StubActivities(pages=2, saved=lambda _: SavedChunk(file="chunk", enriched=5, fallback=ROWS - 5))
    async with batches.worker(stub):
        receipt, handle = await batches.started(shape={"max_fallback": "0"})
        await state_is(runner, receipt.id, "paused")
        left = await runner.run_in_thread("resume", "--all")
        assert (left.code, "0 resumed, 1 left" in left.err) == (0, True), left.err
        assert "asking about a limit; --paused-by question takes it" in left.err
        assert "1 resumed" in (await runner.run_in_thread("resume", "--all", "--paused-by", "question")).err
        await handle.result()


async def test_pause_all_returns_when_no_call_is_open_any_more_and_names_the_batch_that_cannot_be_paused(
    runner: BatchctlRunner, batches: Batches
) -> None:
    stub = held()
    async with batches.worker(stub):
        handles = [(await batches.started())[1] for _ in range(3)]
        queued = runner.receipt("queued.csv")
        async for each in _running(runner):
            if each >= 3:
                break
        paused = await runner.run_in_thread("pause", "--all", "--reason", "night", "--json")
        document = paused.json()
        assert (paused.code, document["ok"]) == (1, False)
        assert sorted(each["outcome"] for each in document["batches"]) == ["done", "done", "done", "failed"]
        assert stub.open_now == 0
        assert f"{queued.id} has not been started yet" in (await runner.run_in_thread("pause", "--all")).err
        stub.gate.set()
        assert "3 resumed" in (await runner.run_in_thread("resume", "--all", "--paused-by", "person")).err
        for each in handles:
            await each.result()


async def _running(runner: BatchctlRunner) -> AsyncIterator[int]:
    while True:
        listed = (await runner.run_in_thread("list", "--json")).json()["batches"]
        yield sum(each["state"] == "running" for each in listed)


async def test_without_a_worker_the_pause_that_stands_on_disk_is_gone_by(
    runner: BatchctlRunner, batches: Batches
) -> None:
    receipt, handle = await batches.started()
    pause = Pause(since="2026-01-01T10:00:00+00:00", by="batchd", reason="the API answered 401")
    ControlStates(runner.state_dir).write(receipt.id, ControlState(pause=pause, at="1"))
    answer = await runner.run_in_thread("resume", "--all")
    assert (answer.code, "has it recorded; no worker answers" in answer.err) == (0, True), answer.err
    assert "1 resumed" in answer.err
    await handle.terminate()


@asynccontextmanager
async def _retrying(client: Client, stub: StubActivities) -> AsyncIterator[None]:
    async with workers(client, os.environ["BATCH_TASK_QUEUE"], [RetryFailedWorkflow], stub.all()):
        yield


async def test_a_retry_of_fallback_rows_that_the_api_refuses_is_resumed_along(
    runner: BatchctlRunner, client: Client
) -> None:
    work = FinishedWork(runner.output_root.parent, f"{CSV}{next(NUMBERS)},Sue\n")
    work.run()
    runner.completed(id=work.id, source=work.batch.source)
    expired = Expired()
    async with _retrying(client, StubActivities(pages=1, answer=expired)):
        assert (await runner.run_in_thread("retry-failed", work.id, "--no-wait")).code == 0
        await eventually(
            lambda: runner.run_in_thread("status", work.id, "--json"),
            lambda it: it["retry"] is not None and it["retry"]["state"] == "paused",
        )
        expired.mended = True
        answer = await runner.run_in_thread("resume", "--all")
        assert (answer.code, "1 resumed" in answer.err) == (0, True), answer.err
        assert f"{work.id} (retry, generation 2) is running" in answer.err
        await client.get_workflow_handle(f"batch-{work.id}-g2").result()


def test_one_batch_or_many_are_named_and_never_both(runner: BatchctlRunner) -> None:
    for words in (["resume"], ["resume", "x", "--all"], ["pause", "x", "--dry-run"], ["resume", "x", "--json"]):
        answer = runner.run(*words)
        assert (answer.code, f"{words[0]}: " in answer.err) == (2, True), answer.err
    assert "did you mean" in runner.run("pause", "--api", "defalt").err
