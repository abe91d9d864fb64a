"""Starts that begin the trace of their batch, where traces are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from temporalio.client import Client

from daemon.config.settings import Settings
from daemon.temporal.starter import Outcome, TemporalStarter, starters
from daemon.traces.interceptors import trace_to_start
from daemon.traces.tracing import Traces
from workflows.ids import workflow_id
from workflows.models import Mode
from workflows.state import BatchRequest


class TracedStarter:
    """Another starter, and what traces each batch that it starts."""

    def __init__(self, starter: TemporalStarter, traces: Traces) -> None:
        self._starter = starter
        self._traces = traces

    async def start(self, request: BatchRequest, mode: Mode) -> Literal["started", "exists"]:
        """Start the workflow of a batch in its trace, see `TemporalStarter.start`."""
        spans = self._traces.file(request, workflow_id(request.id))
        trace_to_start.set(spans.trace if spans else None)
        how = await self._starter.start(request, mode)
        if spans is not None:
            spans.started()
        return how

    async def outcome(self, batch_id: str) -> Outcome:
        """Tell what Temporal knows of a batch, see `TemporalStarter.outcome`."""
        return await self._starter.outcome(batch_id)


async def traced_starters(
    client: Client, traces: Traces | None
) -> Callable[[Settings, asyncio.Semaphore], TemporalStarter | TracedStarter]:
    """Return what makes the starter of a feed, see `starters`."""
    made = await starters(client)
    return made if traces is None else lambda settings, at_once: TracedStarter(made(settings, at_once), traces)
