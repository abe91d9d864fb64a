"""A cancel from Temporal's own page, at any step of the work: one end, in which everything agrees."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from installation import users
from page_site import NAME, PageSite, soon
from scripted_api import scripted_api
from stub_activities import workers
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner

from activities.adapter import HEARTBEAT_S
from activities.disk.failpoints import watched
from activities.registry.receipts import Receipt
from activities.workspace import Workspace
from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow, InMemoryBatchWorkflow
from workflows.models import Identity, Shape
from workflows.requests import LoadedPages, LoadPages
from workflows.state import BatchRequest

NUMBERS = count(1)
STATUS = {"completed": WorkflowExecutionStatus.COMPLETED, "cancelled": WorkflowExecutionStatus.CANCELED}
Handle = WorkflowHandle[Any, Any]


class Halt:
    """Halts the thread that comes by the place called `name` first, until it is let go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, name: str) -> None:
        if name == self.name and not self.reached.is_set():
            self.reached.set()
            assert self.go_on.wait(60)


class Batch(PageSite):
    """A claimed file with its receipt, and the workflow that works it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, users(20))
        self.request = BatchRequest(
            id=self.id,
            source=self.batch.source,
            identity=Identity(policy="name", key="key"),
            shape=Shape(page_rows=10, heartbeat_timeout_s=30),
            local_steps=True,
        )
        receipt = Receipt(
            id=self.id,
            workflow_id=f"batch-{self.id}",
            identity=self.request.identity,
            source=self.request.source,
            state="running",
        )
        self.workspace.receipts.write(receipt)

    @property
    def receipt(self) -> Receipt:
        found = self.workspace.receipts.read(self.id)
        assert found
        return found

    def filed(self) -> list[str]:
        """Where the source lies."""
        return [str(each.parent.parent.relative_to(self.inbox)) for each in self.inbox.rglob(NAME)]

    def manifest(self) -> dict[str, Any]:
        path = self.output_root / f"batch-{self.id}" / "manifest.json"
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture
def halt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Halt]:
    made = Halt(request.param)
    find_pages = Workspace.find_pages

    def loaded(workspace: Workspace, asked: LoadPages) -> LoadedPages:
        made("load")
        return find_pages(workspace, asked)

    monkeypatch.setattr(Workspace, "find_pages", loaded)
    with watched(made):
        yield made


@asynccontextmanager
async def started(client: Client, batch: Batch, workflow: Any) -> AsyncIterator[Handle]:
    """Start a batch beside a worker with the real activities."""
    queue = f"cancelled-{next(NUMBERS)}"
    async with (
        scripted_api(lambda _, __: 200) as api,
        batch.activities(api.url) as activities,
        workers(client, queue, WORKFLOWS, activities.all(), workflow_runner=UnsandboxedWorkflowRunner()),
    ):
        yield await client.start_workflow(workflow.run, batch.request, id=f"{queue}-{batch.id}", task_queue=queue)


async def worked(client: Client, batch: Batch, workflow: Any, halt: Halt) -> WorkflowExecutionStatus | None:
    """Work the batch, cancel it in Temporal where it is halted, and return how the workflow was closed."""
    async with started(client, batch, workflow) as handle:
        try:
            await soon(halt.reached.is_set, f"{halt.name} is reached")
            await handle.cancel()
            await _noticed(handle)
        finally:
            halt.go_on.set()
        with suppress(WorkflowFailureError):
            await handle.result()
        return (await handle.describe()).status


async def _noticed(handle: Handle) -> None:
    """Wait until the workflow has acted on the cancel, or cannot before the local activity it is halted in ends."""
    for _ in range(400):
        types = [each.event_type async for each in handle.fetch_history_events()]
        if EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED not in types:
            assert types[-1] == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
            return
        after = types[types.index(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED) :]
        if EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in after:
            if EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED in after:
                # Time for the halted step to hear of it with a heartbeat, and for an early answer of its to be seen.
                await asyncio.sleep(3 * HEARTBEAT_S)
            return
        await asyncio.sleep(0.025)
    raise AssertionError("the cancel was never noticed")


@pytest.mark.parametrize("workflow", [CursorBatchWorkflow, InMemoryBatchWorkflow])
@pytest.mark.parametrize(
    ("halt", "ends"),
    [
        ("load", {"cancelled"}),
        # A local activity: the cancel is heard behind its workflow task, which may be the one that writes the manifest.
        ("journal.write.before", {"cancelled", "completed"}),
        ("manifest.link.before", {"completed"}),
        ("tidy.remove", {"completed"}),
        ("filing.begun", {"completed"}),
        ("filing.moved", {"completed"}),
        ("receipt.rename.before", {"completed"}),
    ],
    indirect=["halt"],
)
async def test_a_cancel_in_temporal_at_any_step_leaves_one_end_that_manifest_receipt_source_and_workflow_agree_on(
    client: Client, batch: Batch, workflow: Any, halt: Halt, ends: set[str]
) -> None:
    status = await worked(client, batch, workflow, halt)
    end = batch.receipt.state
    assert end in ends
    assert status == STATUS[end]
    assert batch.manifest()["status"] == ("complete" if end == "completed" else "cancelled")
    assert batch.filed() == ["archive" if end == "completed" else "failed"]
    assert batch.receipt.manifest == "manifest.json"


async def test_a_reset_of_a_completed_batch_changes_nothing_of_its_end(client: Client, batch: Batch) -> None:
    async with started(client, batch, CursorBatchWorkflow) as handle:
        await handle.result()
        receipt, manifest, filed = batch.receipt, batch.manifest(), batch.filed()
        assert (receipt.state, filed) == ("completed", ["archive"])
        await _reset(client, handle)
        with suppress(WorkflowFailureError):
            await client.get_workflow_handle(handle.id).result()
    assert (batch.receipt, batch.manifest(), batch.filed()) == (receipt, manifest, filed)
    assert not (batch.inbox / "failed").exists()


async def _reset(client: Client, handle: Handle) -> None:
    """Begin the workflow anew behind its first workflow task, as an operator can in Temporal."""
    types = [(each.event_id, each.event_type) async for each in handle.fetch_history_events()]
    first = next(number for number, kind in types if kind == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="a test",
            workflow_task_finish_event_id=first,
            request_id=handle.id,
        )
    )
