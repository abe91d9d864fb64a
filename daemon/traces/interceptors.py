"""How the trace of a batch passes through Temporal: given with the start, handed on by workflows, used by steps.

A workflow only copies its header: it makes no span, so a replay makes none twice, and its history replays with and
without.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

from temporalio import activity, client, workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ActivityInboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from activities.api.calls.traced_calls import call_traces
from daemon.traces.carried import HEADER, BatchTrace
from daemon.traces.tracing import Facts, Traces
from workflows.models import BatchRef, Counts
from workflows.requests import EnrichPage, FileSource, WriteManifest, WrittenManifest

PAGE = "page"
"""The name of the span of an attempt at `enrich_chunk`; other steps have their own."""

trace_to_start: ContextVar[BatchTrace | None] = ContextVar("trace_to_start", default=None)
"""The trace of the batch that the running task starts."""


class CarryAtStart(client.Interceptor):
    """Gives a workflow that is started the trace of its batch."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002 - the SDK's
        """Return what starts go through."""
        return _CarryingStarts(next)


def carrying(traces: Traces | None) -> list[client.Interceptor]:
    """Return what a client that starts workflows needs."""
    return [CarryAtStart()] if traces else []


class _CarryingStarts(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:  # noqa: A002
        trace = trace_to_start.get()
        if trace is not None:
            input.headers = {**input.headers, **trace.header()}
        return await super().start_workflow(input)


class TraceSteps(Interceptor):
    """Hands the trace on in workflows, and makes a span of each attempt at a step."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        """Return what traces one attempt."""
        return _TracedStep(next, self._traces)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's
    ) -> type[WorkflowInboundInterceptor]:
        """Return what hands the trace on."""
        return _CarryingWorkflow


class _CarryingWorkflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_CarryingOn(outbound))


class _CarryingOn(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 - the SDK's
        input.headers = _handed_on(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = _handed_on(input.headers)
        return super().start_local_activity(input)

    async def start_child_workflow(
        self,
        input: StartChildWorkflowInput,  # noqa: A002 - the SDK's
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = _handed_on(input.headers)
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002 - the SDK's
        input.headers = _handed_on(input.headers)
        super().continue_as_new(input)


def _handed_on(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    own = workflow.info().headers.get(HEADER)
    return headers if own is None else {**headers, HEADER: own}


class _TracedStep(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, traces: Traces) -> None:
        super().__init__(following)
        self._traces = traces

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        """Do the step in a span of its own, and write that of the batch where this was its last."""
        trace, request = BatchTrace.in_header(input.headers), input.args[0]
        if trace is None:
            return await self.next.execute_activity(input)
        info = activity.info()
        is_page = isinstance(request, EnrichPage)
        step = self._traces.step(trace, PAGE if is_page else info.activity_type, _facts(request, info.attempt))
        call_traces.set(step if is_page else None)
        try:
            result = await self.next.execute_activity(input)
        except BaseException as error:
            step.end({}, error=type(error).__name__)
            raise
        step.end(_came_to(result))
        ended = _end_of_batch(request, result)
        if ended is not None:
            began_at, facts = ended
            self._traces.batch(trace, began_at, {**_about(request.batch), **facts})
        return result


def _facts(request: Any, attempt: int) -> Facts:
    page = getattr(request, "page", None)
    of_page = {} if page is None else {"batchd.page": page.number, "batchd.rows": page.records}
    return {**_about(request.batch), **of_page, "batchd.attempt": attempt}


def _about(batch: BatchRef) -> Facts:
    feed: Facts = {"batchd.feed": batch.feed} if batch.feed else {}
    return {"batchd.batch": batch.id, "batchd.file": batch.source.name, **feed}


def _came_to(result: Any) -> Facts:
    outcome = getattr(result, "outcome", None)
    return {} if outcome is None else {"batchd.outcome": str(outcome)}


def _end_of_batch(request: Any, result: Any) -> tuple[str, Facts] | None:
    """Return when a batch began and what became of it, where the step that is done has filed its source."""
    if isinstance(request, FileSource):
        return request.started_at, _ended(request.outcome, request.counts)
    if isinstance(request, WriteManifest) and isinstance(result, WrittenManifest) and result.filed:
        return request.started_at, _ended("completed", result.counts)
    return None


def _ended(outcome: str, counts: Counts) -> Facts:
    rows = {f"batchd.rows.{each.replace(' ', '_')}": rows for each, rows in counts.outcomes().items()}
    return {"batchd.outcome": outcome, "batchd.rows": counts.records, **rows}
