"""Record the histories that the replay tests replay: `make histories`.

Run it only when a workflow has deliberately changed in a way that running batches may meet, and say so in CHANGELOG.md.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from installation import temporal_server
from stub_activities import StubActivities, request
from temporalio.client import Client
from temporalio.worker import Worker

from daemon.worker import WORKFLOWS
from workflows.cursor import CursorBatchWorkflow
from workflows.in_memory import InMemoryBatchWorkflow
from workflows.requests import EnrichedPage, EnrichPage
from workflows.retry_failed import RetryFailedWorkflow

FOLDER = Path(__file__).parent / "histories"


def answer(asked: EnrichPage, attempt: int) -> EnrichedPage:
    """The API is down once, on the second page."""
    if asked.page.number == 2 and attempt == 1:
        return EnrichedPage(outcome="api_down", retry_after_s=1)
    return EnrichedPage(outcome="api_up") if asked.probe else EnrichedPage()


async def record(address: str) -> None:
    client = await Client.connect(address)
    for number, workflow in enumerate((CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow), start=1):
        stub = StubActivities(pages=4, answer=answer)
        batch = request(number)
        async with Worker(client, task_queue="record", workflows=WORKFLOWS, activities=stub.all()):
            handle = await client.start_workflow(
                workflow.run, batch, id=f"batch-{batch.id}", task_queue="record", start_signal="pause"
            )
            await asyncio.sleep(0.5)
            await handle.signal("resume")
            await handle.result()
        history = await handle.fetch_history()
        (FOLDER / f"{workflow.__name__}.json").write_text(history.to_json() + "\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, temporal_server(Path(folder)) as address:
        asyncio.run(record(address))


if __name__ == "__main__":
    main()
    sys.stdout.write(f"recorded {', '.join(sorted(each.name for each in FOLDER.glob('*.json')))}\n")
