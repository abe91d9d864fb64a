"""Record the histories that the replay tests replay, for the version that is being worked on: `make histories`.

A history is for ever: what an installed version wrote must replay under every later one. So each version has a folder
of its own, which is written once. A change of the steps of a workflow after that is guarded by `workflow.patched`, and
the next version records its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from installation import temporal_server
from repository import HISTORIES, ROOT
from stub_activities import ROWS, StubActivities, request, workers
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from daemon.temporal.search_attributes import SearchAttributes
from daemon.worker import WORKFLOWS
from workflows.batch_workflows import (
    CursorBatchWorkflow,
    InMemoryBatchWorkflow,
    LoadChunksWorkflow,
    RetryFailedWorkflow,
)
from workflows.contract import LOCAL_MAX_BYTES, steps_are_local
from workflows.models import Control, LimitsChange, Page
from workflows.operator_signals import OperatorSignals
from workflows.requests import EnrichedPage, EnrichPage
from workflows.search_attributes import BUILD, attributes_of

FOLDER = HISTORIES
QUEUE = "record"
TURNOVER = "limit.historyCount.suggestContinueAsNew=80"
BATCHES = (CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow)

Handle = WorkflowHandle[Any, Any]
Answer = Callable[[EnrichPage, int], EnrichedPage]


def well(_: EnrichPage, __: int) -> EnrichedPage:
    return EnrichedPage()


def down_once(asked: EnrichPage, attempt: int) -> EnrichedPage:
    """The API is down once, on the second page."""
    if asked.page.number == 2 and attempt == 1:
        return EnrichedPage(outcome="api_down", retry_after_s=1)
    return EnrichedPage(outcome="api_up") if asked.probe else EnrichedPage()


def refused_once(asked: EnrichPage, attempt: int) -> EnrichedPage:
    """The API turns the credentials away once, on the first page."""
    refused = asked.page.number == 1 and attempt == 1
    return EnrichedPage(outcome="api_refused", detail="401") if refused else EnrichedPage()


def broken(_: EnrichPage, __: int) -> EnrichedPage:
    raise ApplicationError("the file was changed", type="SourceChanged", non_retryable=True)


async def pause_and_resume(handle: Handle, stub: StubActivities) -> None:
    await handle.signal("pause")
    await asyncio.sleep(0.5)
    await handle.signal("resume")


async def resume_once_it_is_paused(handle: Handle, stub: StubActivities) -> None:
    while not (await handle.query(OperatorSignals.progress)).paused:
        await asyncio.sleep(0.05)
    await handle.signal("resume")


async def cancel_in_mid_page(handle: Handle, stub: StubActivities) -> None:
    await asyncio.sleep(0.5)
    await handle.signal("cancel", Control(by="ann", reason="wrong file"))
    stub.gate.set()


async def cancel_from_temporal(handle: Handle, stub: StubActivities) -> None:
    await asyncio.sleep(0.5)
    await handle.cancel()
    stub.gate.set()


async def change_limits(handle: Handle, stub: StubActivities) -> None:
    await handle.execute_update("set_limits", LimitsChange(concurrency=2, rate=50.0, by="ann"))
    stub.gate.set()


async def nothing(handle: Handle, stub: StubActivities) -> None:
    return


@dataclass(frozen=True)
class Story:
    """What happens to one batch while its history is recorded."""

    name: str
    answer: Answer = well
    act: Callable[[Handle, StubActivities], Awaitable[None]] = nothing
    pages: int = 4
    held: bool = False
    damaged: list[Page] = field(default_factory=list)
    size_bytes: int = 2 * LOCAL_MAX_BYTES


SECOND_PAGE = Page(number=2, source_start=200, source_end=300, first_row=11, records=ROWS)
LARGE = (
    Story("outage", answer=down_once, act=pause_and_resume),
    Story("refused", answer=refused_once, act=resume_once_it_is_paused),
    Story("failed", answer=broken),
    Story("cancelled", held=True, act=cancel_in_mid_page),
    Story("cancelled-in-temporal", held=True, act=cancel_from_temporal),
    Story("limits", held=True, act=change_limits),
    Story("damaged", damaged=[SECOND_PAGE]),
    Story("turnover", pages=40, act=pause_and_resume),
)
SMALL = (
    Story("one-page", pages=1, size_bytes=1_000),
    *[replace(each, name=f"small-{each.name}", size_bytes=1_000) for each in LARGE if each.name != "turnover"],
)
"""The same with a file whose short steps are local activities."""

STORIES = (*LARGE, *SMALL)


async def record(address: str, folder: Path) -> None:
    client = await Client.connect(address)
    await SearchAttributes(client).register()
    number = 0
    for workflow in BATCHES:
        for story in STORIES:
            number += 1
            await _record_one(client, workflow, story, number, folder)
    handle = client.get_workflow_handle(f"batch-{request(len(STORIES) + 1).id}-load")
    _write(folder / f"{LoadChunksWorkflow.__name__}.json", (await handle.fetch_history()).to_json())


async def _record_one(client: Client, workflow: Any, story: Story, number: int, folder: Path) -> None:
    stub = StubActivities(pages=story.pages, answer=story.answer)
    stub.damaged = list(story.damaged)
    if story.held:
        stub.gate.clear()
    batch = request(number)
    source = replace(batch.source, size_bytes=story.size_bytes)
    batch = replace(batch, source=source, local_steps=steps_are_local(story.size_bytes), steps_together=True)
    async with workers(client, QUEUE, WORKFLOWS, stub.all(), build_id=f"{BUILD}{version('batchd')}"):
        handle = await client.start_workflow(
            workflow.run,
            batch,
            id=f"batch-{batch.id}",
            task_queue=QUEUE,
            search_attributes=attributes_of(batch),
        )
        first = handle.result_run_id
        await story.act(handle, stub)
        try:
            await handle.result()
        except WorkflowFailureError as failure:
            sys.stdout.write(f"{workflow.__name__} {story.name}: {failure.cause}\n")
    await _write_runs(client, handle.id, first, folder / f"{workflow.__name__}-{story.name}")


async def _write_runs(client: Client, workflow_id: str, run_id: str | None, stem: Path) -> None:
    """Write the history of each run that continue-as-new made of a batch, in order."""
    run = 0
    while run_id:
        run += 1
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        _write(stem.with_name(f"{stem.name}{f'-{run}' if run > 1 else ''}.json"), history.to_json())
        last = history.events[-1].workflow_execution_continued_as_new_event_attributes
        run_id = last.new_execution_run_id


def _write(path: Path, history: str) -> None:
    """Write a history, without the folder of this machine that the stack traces in it name."""
    history = history.replace(f"{ROOT}/", "")
    path.write_text(json.dumps(json.loads(history), separators=(",", ":")) + "\n")


def main() -> None:
    folder = FOLDER / version("batchd")
    if folder.exists():
        sys.exit(f"{folder} is there: histories are never recorded over. Give pyproject.toml the next version first.")
    with tempfile.TemporaryDirectory() as place, temporal_server(Path(place), TURNOVER) as address:
        folder.mkdir()
        asyncio.run(record(address, folder))
    sys.stdout.write(f"recorded {len(list(folder.iterdir()))} histories in {folder}\n")


if __name__ == "__main__":
    main()
