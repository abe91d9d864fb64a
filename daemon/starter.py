"""Starting batches on Temporal and asking what became of them.

The start carries the two policies that make a second workflow impossible while Temporal remembers the first: no new
run beside a running one, none after a closed one. The receipts cover the time after that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from daemon.connection import unreachable
from workflows.cursor import CursorBatchWorkflow
from workflows.ids import displayed, printable, workflow_id
from workflows.in_memory import InMemoryBatchWorkflow
from workflows.models import Mode
from workflows.state import BatchRequest

RPC_TIMEOUT = timedelta(seconds=10)

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


class TemporalStarter:
    """Starts batch workflows through one client."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, request: BatchRequest, mode: Mode) -> Literal["started", "exists"]:
        """Start the workflow of a batch, once for ever. Idempotent.

        Raises:
            TemporalUnreachable: the server did not answer; whether the workflow was started is not known, and calling
                again is safe.
        """
        run = InMemoryBatchWorkflow.run if mode == "in-memory" else CursorBatchWorkflow.run
        try:
            await self._client.start_workflow(
                run,
                request,
                id=workflow_id(request.id),
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                static_summary=printable(displayed(request.source.name))[:200],
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return "exists"
        except RPCError as error:
            raise unreachable(self._client.service_client.config.target_host, error) from error
        return "started"

    async def outcome(self, batch_id: str) -> Outcome:
        """Tell what Temporal knows of a batch; `unknown` where it knows nothing.

        Raises:
            TemporalUnreachable: the server did not answer.
        """
        try:
            described = await self._client.get_workflow_handle(workflow_id(batch_id)).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return "unknown"
            raise unreachable(self._client.service_client.config.target_host, error) from error
        except ValueError:
            # This SDK cannot name the state of a run that was paused by Temporal's own switch; it is not closed.
            return "running"
        return _OUTCOMES.get(described.status, "running")
