"""The spans of a batch: what they are called, when they begin and end, and what they say: no row, answer or secret."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from activities.api.calls.traced_calls import CallTrace
from daemon.traces.carried import SAMPLED, BatchTrace, traceparent
from daemon.traces.exporting import TellingExporter
from daemon.traces.tracing import Facts
from workflows.state import BatchRequest

NANOS = 1_000_000_000
GOOD_STATUS = range(100, 400)


def otel_traces(process: str, calls_every: int) -> tuple[OtelTraces, Callable[[], None]]:
    """Return the traces of a process, and what sends the rest and ends them: blocking.

    Raises:
        ValueError: an `OTEL_*` variable cannot be used.
    """
    about = {"service.version": version("batchd"), "service.instance.id": f"{socket.gethostname()}-{process}"}
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") and "OTEL_SERVICE_NAME" not in os.environ:
        about["service.name"] = "batchd"
    ids = GivenIds()
    provider = TracerProvider(resource=Resource.create(about), id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(TellingExporter()))
    return OtelTraces(provider, ids, calls_every), provider.shutdown


class GivenIds(IdGenerator):
    """Random ids, but for the next one where it is given. All spans of a process are begun in one thread."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_trace_id(self) -> int:
        """Return the id of a new trace."""
        return self.trace_id or random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """Return the id of a new span."""
        return self.span_id or random.getrandbits(64) or 1


class OtelTraces:
    """The spans of one process, see `Traces`. Of the calls of a page the first and one in `calls_every` have a span."""

    def __init__(self, provider: TracerProvider, ids: GivenIds, calls_every: int) -> None:
        self._tracer = provider.get_tracer("batchd")
        self._ids = ids
        self._calls_every = calls_every

    def file(self, request: BatchRequest, workflow_id: str) -> FileSpans | None:
        """Begin the trace of a file whose batch is about to be started; None where it is not sampled."""
        source = request.source
        trace = BatchTrace.of(workflow_id, source.claimed_at)
        claimed_ns = _nanos(source.claimed_at) or time.time_ns()
        seen_ns = _nanos(source.first_seen_at) or claimed_ns
        self._ids.trace_id = trace.trace_id
        try:
            span = self.start("file", Context(), start_ns=seen_ns, span_id=trace.file_id)
        finally:
            self._ids.trace_id = 0
        if not span.is_recording():
            return None
        feed = {"batchd.feed": request.feed} if request.feed else {}
        about: Facts = {"batchd.batch": request.id, "batchd.file": source.name, "batchd.bytes": source.size_bytes}
        span.set_attributes({**about, **feed})
        return FileSpans(self, trace, span, [seen_ns, _nanos(source.stable_at) or seen_ns, claimed_ns])

    def batch(self, trace: BatchTrace, began_at: str, facts: Facts) -> None:
        """Write the span of a batch that has just ended."""
        file = _below(trace.trace_id, trace.file_id)
        span = self.start("batch", file, start_ns=_nanos(began_at), span_id=trace.batch_id)
        span.set_attributes(facts)
        if facts["batchd.outcome"] == "failed":
            span.set_status(StatusCode.ERROR)
        span.end()

    def step(self, trace: BatchTrace, name: str, facts: Facts) -> StepSpan:
        """Begin the span of one attempt at a step of a batch."""
        span = self.start(name, _below(trace.trace_id, trace.batch_id))
        span.set_attributes(facts)
        return StepSpan(self, span, self._calls_every)

    def start(
        self,
        name: str,
        context: Context,
        *,
        start_ns: int | None = None,
        span_id: int = 0,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        """Begin a span, under an id that is given or a random one."""
        self._ids.span_id = span_id
        try:
            return self._tracer.start_span(name, context, kind=kind, start_time=start_ns)
        finally:
            self._ids.span_id = 0


class FileSpans:
    """A file until its batch runs: it settles, is claimed, is started. Left without `started`, nothing is written."""

    def __init__(self, traces: OtelTraces, trace: BatchTrace, span: Span, times_ns: list[int]) -> None:
        self.trace = trace
        self._traces = traces
        self._span = span
        self._times_ns = times_ns

    def started(self) -> None:
        """Write the spans: the batch runs."""
        ends_ns = [*self._times_ns[1:], time.time_ns()]
        inside = set_span_in_context(self._span, Context())
        for name, begin_ns, end_ns in zip(("settle", "claim", "start"), self._times_ns, ends_ns, strict=True):
            self._traces.start(name, inside, start_ns=begin_ns).end(end_ns)
        self._span.end(ends_ns[-1])


class StepSpan:
    """One attempt at a step."""

    def __init__(self, traces: OtelTraces, span: Span, calls_every: int) -> None:
        self._traces = traces
        self._span = span
        self._inside = set_span_in_context(span, Context())
        self._calls_every = calls_every
        self._calls = 0

    def begin(self, row: int, rows: int) -> CallTrace | None:
        """Begin the span of a call for `rows` rows from `row` on, where it is its turn; see `CallTraces`."""
        turn = self._calls % self._calls_every == 0
        self._calls += 1
        if not turn:
            return None
        span = self._traces.start("call", self._inside, kind=SpanKind.CLIENT)
        if not span.is_recording():
            return None
        span.set_attributes({"batchd.row": row, "batchd.rows": rows})
        return _CallSpan(span)

    def end(self, facts: Facts, *, error: str = "") -> None:
        """End the attempt; `error` is the name of what it failed with."""
        self._span.set_attributes(facts)
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class _CallSpan:
    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = traceparent(context.trace_id, context.span_id)

    def end(self, status: str) -> None:
        if status.isdecimal():
            self._span.set_attribute("http.response.status_code", int(status))
        if not status.isdecimal() or int(status) not in GOOD_STATUS:
            self._span.set_attribute("error.type", status)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _below(trace_id: int, span_id: int) -> Context:
    parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(SAMPLED))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _nanos(moment: str) -> int | None:
    return int(datetime.fromisoformat(moment).timestamp() * NANOS) if moment else None
