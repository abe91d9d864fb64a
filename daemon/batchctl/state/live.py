"""What Temporal knows of batches, asked in ways that survive what this SDK cannot name.

`describe` and `list` of the SDK raise ValueError on meeting a run that was paused by Temporal's own switch, so the
raw calls of the service are used. All time limits are `rpc_timeout`: a cancelled client call hangs the exit.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetSystemInfoRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from daemon.batchctl.exit_codes import NotPossible
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.runs import from_temporal, from_workflow, with_result
from daemon.config.settings import Settings
from daemon.temporal.connection import connect, unreachable, without_room
from workflows.errors import TemporalUnreachable
from workflows.ids import workflow_id
from workflows.models import CallLimits, Control, LimitsChange
from workflows.operator_signals import OperatorSignals
from workflows.state import BatchResult, Progress

CONNECT_S = 2.0
RPC_TIMEOUT = timedelta(seconds=5)
QUERY_TIMEOUT = timedelta(seconds=2)
LISTED_AT_ONCE = 1_000
POLLING_S = 70.0
"""A live worker asks for work at least once a minute."""

LISTED_S = 300.0
"""A server lists a worker that asks no more for five minutes."""

_BATCH = re.compile(r"batch-([a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{12})")
_RETRY = re.compile(rf"{_BATCH.pattern}-g[0-9]+")
_SILENT = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """A worker that asked for work lately."""

    identity: str
    seen_s_ago: float

    @property
    def host(self) -> str:
        """The host it runs on: a worker is named `batchd-0.3.0:pid@host`, before 0.3.0 `pid@host`."""
        return self.identity.rpartition("@")[2]

    @property
    def version(self) -> str:
        """The version of batchd that it is of; empty where it does not say so."""
        named, _, rest = self.identity.partition(":")
        return named.removeprefix("batchd-") if rest and named.startswith("batchd-") else ""


class LiveBatches:
    """Batches as Temporal knows them. Every method raises TemporalUnreachable when the server does not answer.

    A `suffix` such as `-g2` means, instead of the batch itself, the retry that makes this generation of its result.
    """

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self._settings = settings

    @classmethod
    async def connected(cls, settings: Settings) -> LiveBatches:
        """Connect to the server that `settings` mean."""
        try:
            return cls(await connect(settings, timeout_s=CONNECT_S), settings)
        except TemporalUnreachable as error:
            raise without_room(settings) or error from error

    async def run_of(self, batch_id: str, *, suffix: str = "") -> BatchView | None:
        """Return the newest run of a batch; None where Temporal knows none."""
        answer = await self._described(workflow_id(batch_id) + suffix)
        if answer is None:
            return None
        children = [await self._described(each.workflow_id) for each in answer.pending_children]
        return from_temporal(answer, [each for each in children if each is not None])

    async def _described(self, workflow: str) -> DescribeWorkflowExecutionResponse | None:
        request = DescribeWorkflowExecutionRequest(
            namespace=self.client.namespace, execution=WorkflowExecution(workflow_id=workflow)
        )
        try:
            async with self._answering():
                return await self.client.workflow_service.describe_workflow_execution(request, timeout=RPC_TIMEOUT)
        except _Unknown:
            return None

    async def progress(self, batch_id: str, *, suffix: str = "", patient: bool = False) -> BatchView | None:
        """Return how far a batch is; None where no worker answers in time. A patient caller asks twice."""
        answer = await self._query(workflow_id(batch_id) + suffix)
        if answer is None and patient:
            answer = await self._query(workflow_id(batch_id) + suffix)
        return from_workflow(answer) if answer else None

    async def with_end(self, run: BatchView, batch_id: str, *, suffix: str = "") -> BatchView:
        """Return the view of a closed run with its result, or why it has none."""
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self.client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id(batch_id) + suffix),
            maximum_page_size=1,
        )
        async with self._answering():
            answer = await self.client.workflow_service.get_workflow_execution_history_reverse(
                request, timeout=RPC_TIMEOUT
            )
        last = answer.history.events[0]
        if last.HasField("workflow_execution_completed_event_attributes"):
            payloads = last.workflow_execution_completed_event_attributes.result.payloads
            [result] = await self.client.data_converter.decode(payloads, [BatchResult])
            return with_result(run, result)
        if last.HasField("workflow_execution_failed_event_attributes"):
            return replace(run, error=last.workflow_execution_failed_event_attributes.failure.message or None)
        if last.HasField("workflow_execution_terminated_event_attributes"):
            reason = last.workflow_execution_terminated_event_attributes.reason
            return replace(run, error=f"terminated in Temporal: {reason or 'no reason given'}")
        if last.HasField("workflow_execution_timed_out_event_attributes"):
            return replace(run, error="timed out in Temporal")
        return run

    async def signal(self, batch_id: str, name: str, control: Control, *, suffix: str = "") -> None:
        """Send `pause`, `resume` or `cancel`.

        Raises:
            NotPossible: the run has ended.
        """
        try:
            async with self._answering():
                handle = self.client.get_workflow_handle(workflow_id(batch_id) + suffix)
                await handle.signal(name, control, rpc_timeout=RPC_TIMEOUT)
        except _Unknown as error:
            raise NotPossible(f"{batch_id} has just ended") from error

    async def set_limits(self, batch_id: str, change: LimitsChange, *, suffix: str = "") -> CallLimits:
        """Change the limits of a running batch and return them.

        Raises:
            NotPossible: the batch did not take the change, or no worker answered in time.
        """
        handle = self.client.get_workflow_handle(workflow_id(batch_id) + suffix)
        try:
            async with self._answering():
                return await handle.execute_update(OperatorSignals.set_limits, change, rpc_timeout=RPC_TIMEOUT)
        except WorkflowUpdateFailedError as error:
            raise NotPossible(f"{batch_id} refused the change: {error.cause}") from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise NotPossible(
                f"{batch_id} did not answer in time; the change may still take hold, so set it again to be sure"
            ) from error
        except _Unknown as error:
            raise NotPossible(f"{batch_id} has just ended") from error

    async def pollers(self) -> list[Poller]:
        """Return the workers that ask for activities, newest first."""
        return [each for each in await self.listed_pollers() if each.seen_s_ago < POLLING_S]

    async def listed_pollers(self) -> list[Poller]:
        """Return every worker that the server has listed, newest first; it forgets one after `LISTED_S`.

        The server keeps a task queue in parts and each worker asks at some of them, so all parts are asked for.
        """
        request = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=self._settings.task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            api_mode=DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED,
            report_pollers=True,
            task_queue_types=[TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY],
        )
        async with self._answering():
            answer = await self.client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
        now = datetime.now(tz=UTC)
        of_all_parts = [
            each
            for version in answer.versions_info.values()
            for of_type in version.types_info.values()
            for each in of_type.pollers
        ]
        found = [
            Poller(identity=each.identity, seen_s_ago=(now - each.last_access_time.ToDatetime(UTC)).total_seconds())
            for each in of_all_parts or answer.pollers
        ]
        return sorted(found, key=lambda each: each.seen_s_ago)

    async def ids_beginning_with(self, beginning: str, most: int) -> list[str]:
        """Return batches whose workflow ID begins with `beginning`, newest first."""
        request = ListWorkflowExecutionsRequest(
            namespace=self.client.namespace,
            query=f'WorkflowId STARTS_WITH "{beginning}"',
            page_size=most * 3,
        )
        async with self._answering():
            answer = await self.client.workflow_service.list_workflow_executions(request, timeout=RPC_TIMEOUT)
        found = (_BATCH.fullmatch(each.execution.workflow_id) for each in answer.executions)
        return list(dict.fromkeys(each[1] for each in found if each))[:most]

    async def server_version(self) -> str:
        """Return the version of the server."""
        async with self._answering():
            answer = await self.client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=RPC_TIMEOUT)
        return answer.server_version

    async def retried(self) -> list[str]:
        """Return the batches of which a retry of fallback rows runs."""
        query, found, page = 'WorkflowType = "RetryFailedWorkflow" AND ExecutionStatus = "Running"', [], b""
        while True:
            request = ListWorkflowExecutionsRequest(
                namespace=self.client.namespace, query=query, page_size=LISTED_AT_ONCE, next_page_token=page
            )
            async with self._answering():
                answer = await self.client.workflow_service.list_workflow_executions(request, timeout=RPC_TIMEOUT)
            found += [_RETRY.fullmatch(each.execution.workflow_id) for each in answer.executions]
            page = answer.next_page_token
            if not page:
                return [each[1] for each in found if each]

    def unreachable(self, error: RPCError) -> TemporalUnreachable:
        """Return what it means that the server cannot answer."""
        address = self.client.service_client.config.target_host
        return without_room(self._settings) or unreachable(address, error)

    async def _query(self, workflow: str) -> Progress | None:
        try:
            async with self._answering():
                handle = self.client.get_workflow_handle(workflow)
                return await handle.query(OperatorSignals.progress, rpc_timeout=QUERY_TIMEOUT)
        except (_Unknown, _Silent, WorkflowQueryFailedError, ValueError):
            return None

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Turn the errors of a call into ours: unknown to the server, silent worker, unreachable server."""
        try:
            yield
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                raise _Unknown(str(error)) from error
            if error.status in _SILENT:
                raise _Silent(f"Temporal did not answer in time: {error}") from error
            raise self.unreachable(error) from error


class _Unknown(NotPossible):
    """Temporal knows no such thing."""


class _Silent(TemporalUnreachable):
    """The server or a worker did not answer in time."""
