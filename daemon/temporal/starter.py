"""Starting batches on Temporal and asking what became of them.

The start carries the two policies that make a second workflow impossible while Temporal remembers the first: no new
run beside a running one, none after a closed one. The receipts cover the time after that.

It also carries who made it. Where a workflow exists already, that is compared: it is our own start whose reply was
lost, or that of another installation in the same namespace, whose result is none of ours.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from daemon.config.settings import Settings
from daemon.temporal.connection import unreachable
from daemon.temporal.search_attributes import WITHOUT, SearchAttributes
from workflows.batch_workflows import CursorBatchWorkflow, InMemoryBatchWorkflow
from workflows.contract import task_timeout
from workflows.current_details import code_span
from workflows.errors import StartedElsewhere, StartRefused, TemporalUnreachable, TransientError
from workflows.ids import displayed, printable, workflow_id
from workflows.models import Mode
from workflows.state import BatchRequest

RPC_TIMEOUT = timedelta(seconds=10)

_OF_THE_SERVER = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.UNKNOWN,  # a connection that broke ("transport error"), or a server that failed inside
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.NOT_FOUND,  # of a start: the namespace
}
"""The answers that every start would get; any other one is about the one batch."""

Outcome = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out", "unknown"]

_OUTCOMES: dict[WorkflowExecutionStatus | None, Outcome] = {
    WorkflowExecutionStatus.RUNNING: "running",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "running",
}


@dataclass(frozen=True, slots=True)
class _Start:
    """What an earlier start says of itself. Versions before 0.2 did not say who made it."""

    source: dict[str, Any]
    inbox: str | None
    output_dir: str | None
    host: str | None


class TemporalStarter:
    """Starts batch workflows of one feed through one client. Starts wait for `at_once`, which is for all feeds.

    Batches carry the search attributes that `listed` has, none where it is None.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        at_once: asyncio.Semaphore,
        *,
        listed: SearchAttributes | None = None,
    ) -> None:
        self._client = client
        self._listed = listed
        self._at_once = at_once
        self._task_queue = settings.task_queue
        self._inbox = str(settings.inbox.absolute())
        self._output_root = settings.output_root.absolute()

    async def start(self, request: BatchRequest, mode: Mode) -> Literal["started", "exists"]:
        """Start the workflow of a batch, once for ever. Idempotent.

        Raises:
            TemporalUnreachable: the server did not answer; whether the workflow was started is not known, and calling
                again is safe.
            StartedElsewhere: another installation has started a batch under this id.
            StartRefused: the server turned this start away.
        """
        attributes = await self._listed.of(request) if self._listed else WITHOUT
        try:
            async with self._at_once:
                try:
                    await self._start(request, mode, attributes)
                except RPCError as error:
                    if not (self._listed and attributes.search_attributes and self._listed.were_refused(error)):
                        raise
                    await self._start(request, mode, WITHOUT)
        except WorkflowAlreadyStartedError:
            await self._refuse_another_ones(request)
            return "exists"
        except RPCError as error:
            raise self._translated(request.id, error) from error
        return "started"

    async def _start(self, request: BatchRequest, mode: Mode, attributes: TypedSearchAttributes) -> None:
        await self._client.start_workflow(
            InMemoryBatchWorkflow.run if mode == "in-memory" else CursorBatchWorkflow.run,
            request,
            id=workflow_id(request.id),
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=_summary(request),
            static_details=self._details(request),
            memo=self._memo(request),
            search_attributes=attributes,
            task_timeout=task_timeout(request.shape),
            rpc_timeout=RPC_TIMEOUT,
        )

    async def outcome(self, batch_id: str) -> Outcome:
        """Tell what Temporal knows of a batch; `unknown` where it knows nothing.

        Raises:
            TemporalUnreachable: the server did not answer.
            StartRefused: the server will not say.
        """
        try:
            described = await self._client.get_workflow_handle(workflow_id(batch_id)).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return "unknown"
            raise self._translated(batch_id, error) from error
        except ValueError:
            # This SDK cannot name the state of a run that was paused by Temporal's own switch; it is not closed.
            return "running"
        return _OUTCOMES.get(described.status, "running")

    def _memo(self, request: BatchRequest) -> dict[str, str]:
        return {
            "inbox": displayed(self._inbox),
            "output_dir": displayed(str(self._output_root / workflow_id(request.id))),
            "host": socket.gethostname(),
            **({"feed": request.feed} if request.feed else {}),
        }

    def _details(self, request: BatchRequest) -> str:
        """Return what stands over a batch on its page in Temporal, as Markdown, from the start to after the end."""
        facts = {
            "file": displayed(request.source.name),
            "feed": request.feed,
            "API": request.api.name if request.api else "",
            "inbox": displayed(self._inbox),
            "status": f"batchctl status {request.id}",
        }
        return "\n".join(f"- {name}: {code_span(text)}" for name, text in facts.items() if text)

    async def _refuse_another_ones(self, request: BatchRequest) -> None:
        """Raise StartedElsewhere unless the workflow that exists was started for the very file of `request`.

        A receipt may have been lost with the power since then, and with it the time of the claim. The file itself, by
        inode and time of change, is still the same one in the same inbox.
        """
        try:
            earlier = await self._earlier_start(request.id)
        except RPCError as error:
            raise self._translated(request.id, error) from error
        source = request.source
        same_file = (earlier.source.get("inode"), earlier.source.get("mtime_ns")) == (source.inode, source.mtime_ns)
        same_claim = earlier.source.get("claimed_at") == source.claimed_at
        if not (same_file and (same_claim or earlier.inbox in {None, displayed(self._inbox)})):
            raise StartedElsewhere(self._whose(request, earlier))

    async def _earlier_start(self, batch_id: str) -> _Start:
        handle = self._client.get_workflow_handle(workflow_id(batch_id))
        async for event in handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT):
            started = event.workflow_execution_started_event_attributes
            return _Start(
                source=await self._source(started),
                **{
                    key: await self._decoded(started.memo.fields[key]) if key in started.memo.fields else None
                    for key in ("inbox", "output_dir", "host")
                },
            )
        raise TransientError(f"batch-{batch_id}: Temporal shows no start of it")

    async def _source(self, started: WorkflowExecutionStartedEventAttributes) -> dict[str, Any]:
        """Return the source that a workflow was started for; nothing where it is no workflow of batchd's."""
        request = await self._decoded(started.input.payloads[0]) if started.input.payloads else None
        source = request.get("source") if isinstance(request, dict) else None
        return source if isinstance(source, dict) else {}

    async def _decoded(self, payload: Payload) -> Any:
        try:
            [value] = await self._client.data_converter.decode([payload])
        except (RuntimeError, ValueError, KeyError):
            return None
        return value

    def _whose(self, request: BatchRequest, earlier: _Start) -> str:
        by = (
            f"inbox {earlier.inbox} on {earlier.host}, output in {earlier.output_dir}"
            if earlier.inbox
            else "of an earlier version, which did not say where it is"
        )
        return (
            f"Temporal (namespace {self._client.namespace}) has {workflow_id(request.id)} of another installation: "
            f"{printable(by)}. Nothing was worked here. To work it here too, give one of the two installations a "
            f"namespace of its own; to leave it to the other, move .processing/{request.id} out of the inbox. It is "
            "started by itself once Temporal has forgotten the other one"
        )

    def _translated(self, batch_id: str, error: RPCError) -> TemporalUnreachable | StartRefused:
        if error.status in _OF_THE_SERVER:
            return unreachable(self._client.service_client.config.target_host, error)
        return StartRefused(f"Temporal turned {workflow_id(batch_id)} away: {error.status.name}: {error.message}")


async def starters(client: Client) -> Callable[[Settings, asyncio.Semaphore], TemporalStarter]:
    """Return what makes the starter of a feed, once the search attributes are registered where that may be."""
    listed = SearchAttributes(client)
    await listed.register()
    return partial(TemporalStarter, client, listed=listed)


def _summary(request: BatchRequest) -> str:
    """Return the line by which Temporal's own pages list a batch: `[contacts] users.csv`."""
    feed = f"[{request.feed}] " if request.feed else ""
    return (feed + printable(displayed(request.source.name)))[:200]
