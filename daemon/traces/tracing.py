"""What traces a batch, as the rest of the daemon sees it; `spans` does it, with OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from activities.api.calls.traced_calls import CallTraces
from daemon.traces.carried import BatchTrace
from workflows.state import BatchRequest

Facts = Mapping[str, str | int]
"""Attributes of a span."""


class FileTrace(Protocol):
    """A file until its batch runs: it settles, is claimed, is started. Left without `started`, nothing is written."""

    @property
    def trace(self) -> BatchTrace:
        """The trace that its batch goes on with."""

    def started(self) -> None:
        """Write the spans: the batch runs."""


class StepTrace(CallTraces, Protocol):
    """One attempt at a step, and the calls that it makes."""

    def end(self, facts: Facts, *, error: str = "") -> None:
        """End the attempt; `error` is the name of what it failed with."""


class Traces(Protocol):
    """The spans of one process."""

    def file(self, request: BatchRequest, workflow_id: str) -> FileTrace | None:
        """Begin the trace of a file whose batch is about to be started; None where it is not sampled."""

    def step(self, trace: BatchTrace, name: str, facts: Facts) -> StepTrace:
        """Begin the span of one attempt at a step of a batch."""

    def batch(self, trace: BatchTrace, began_at: str, facts: Facts) -> None:
        """Write the span of a batch that has just ended."""
