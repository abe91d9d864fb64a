"""What a batch says of itself where Temporal lists workflows: four search attributes.

The one who starts a batch sets them, where the namespace has them. That a run was started with them stands in its
history, so the workflow asks nobody: it keeps up what it was given, and one that was given none sets none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from workflows.ids import DEFAULT_FEED, displayed, printable
from workflows.models import State
from workflows.state import BatchRequest, LiveBatch

FEED = SearchAttributeKey.for_keyword("BatchFeed")
FILE = SearchAttributeKey.for_keyword("BatchFile")
STATE = SearchAttributeKey.for_keyword("BatchState")
FALLBACK_ROWS = SearchAttributeKey.for_int("BatchFallbackRows")

MAX_KEYWORD_CHARS = 255
"""What a column of Temporal's SQL databases takes."""

BUILD = "batchd-"
"""How the build id of a worker begins whose workflows keep these attributes up; the version follows."""


def attributes_of(request: BatchRequest) -> TypedSearchAttributes:
    """Return what the workflow of `request` is started with."""
    state = request.state
    begins: State = "paused" if state.pause and not state.cancel else "running"
    return TypedSearchAttributes(
        [
            SearchAttributePair(FEED, request.feed or DEFAULT_FEED),
            SearchAttributePair(FILE, printable(displayed(request.source.name))[:MAX_KEYWORD_CHARS]),
            SearchAttributePair(STATE, begins),
        ]
    )


class ListedState:
    """Keeps `BatchState` and `BatchFallbackRows` of a run up. Each change is an event in its history.

    So the fallback rows are counted anew only where the state changes, where a large file gets its first, and at the
    end. A worker of an earlier version may have worked some tasks of a run and changed nothing; the build id of each
    task tells, and it is in the history too.
    """

    def __init__(self, batch: LiveBatch, state: Callable[[], State]) -> None:
        self._batch = batch
        self._state = state
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep them up from now on, beside the work."""
        if workflow.info().typed_search_attributes.get(STATE) is not None:
            self._task = asyncio.create_task(self._keep())

    def note_end(self) -> None:
        """Set them for the last time: the run may end before `start` gets to see the change."""
        if self._task is not None and self._is_due():
            self._set()

    async def _keep(self) -> None:
        while True:
            await workflow.wait_condition(self._is_due)
            self._set()

    def _is_due(self) -> bool:
        given = workflow.info().typed_search_attributes
        rows = self._batch.state.counts.fallback
        first = rows > 0 and not self._batch.is_small and not given.get(FALLBACK_ROWS)
        return (first or given.get(STATE) != self._state()) and _is_kept_up()

    def _set(self) -> None:
        workflow.upsert_search_attributes(
            [STATE.value_set(self._state()), FALLBACK_ROWS.value_set(self._batch.state.counts.fallback)]
        )


def _is_kept_up() -> bool:
    """Return whether the worker of this workflow task, as its history says, is one that keeps attributes up."""
    worker = workflow.info().get_current_deployment_version()
    return worker is not None and worker.build_id.startswith(BUILD)
