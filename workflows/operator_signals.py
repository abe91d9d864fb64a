"""What an operator can do to a running batch, and what it answers: signals, the update, the query.

Temporal wants handlers on the workflow class, so this is what batch workflows inherit; all else are parts they hold.
The handlers only change `LiveBatch`; the parts that do the work wait for what they changed.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from temporalio import workflow

from workflows.current_details import current_details
from workflows.models import (
    MAX_CONCURRENCY,
    QUESTION,
    SERVICE,
    CallLimits,
    Control,
    ControlState,
    Counts,
    LimitsChange,
    Mode,
    Pause,
    Shape,
    State,
)
from workflows.outage import Outage
from workflows.search_attributes import ListedState
from workflows.state import BatchRequest, LiveBatch, Progress
from workflows.steps import Steps

KEPT_PAUSES = 100
"""Newest pauses kept for the manifest, so that a script that pauses in a loop cannot grow the history."""

KEPT_CHANGES = 100
MAX_TEXT_CHARS = 500
"""Texts are cut to this, to keep the history small; what to do stands at the end of a reason, after an address."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that is past: the name of its setting, and the question to the operator."""

    limit: str
    reason: str


class Pauses:
    """Pauses and ends of pauses, by an operator or by the batch itself, which asks where a limit is past.

    `publish_progress` is called at each.
    """

    def __init__(self, batch: LiveBatch, publish_progress: Callable[[], None]) -> None:
        self._batch = batch
        self._publish_progress = publish_progress

    def begin(self, *, by: str, reason: str) -> None:
        """Start no further API call until `end`. Repeating it changes nothing."""
        batch = self._batch
        if batch.state.pause is None:
            pause = Pause(since=batch.now(), by=by[:MAX_TEXT_CHARS], reason=reason[:MAX_TEXT_CHARS])
            batch.state = replace(batch.state, pause=pause)
            level = logging.WARNING if by == SERVICE else logging.INFO
            batch.log("batch.paused", level, by=pause.by, why=pause.reason)
            self._publish_progress()

    def end(self, by: str) -> None:
        """Go on, past the limit that the pause asked about, if it did; pause again where another limit is past."""
        batch, state = self._batch, self._batch.state
        if state.pause is None:
            return
        ended = replace(state.pause, to=batch.now())
        batch.state = replace(
            state,
            pause=None,
            pauses=[*state.pauses, ended][-KEPT_PAUSES:],
            asked="",
            accepted=[*state.accepted, *([state.asked] if state.asked else [])],
        )
        batch.log("batch.resumed", by=by)
        self._publish_progress()
        self.ask_where_a_limit_is_past()

    def ask_where_a_limit_is_past(self) -> None:
        """Pause with a question where too many rows are fallback or rejected and nobody has accepted that."""
        batch, state = self._batch, self._batch.state
        past = excess(batch.shape, state.counts, accepted=state.accepted, whole=batch.all_saved)
        if past and state.pause is None:
            self.begin(by=SERVICE, reason=f"{past.reason}; {QUESTION}, cancel ends it")
            batch.state = replace(batch.state, asked=past.limit)


class OperatorSignals(ABC):
    """The handlers of every batch workflow."""

    mode: Mode

    def __init__(self, request: BatchRequest) -> None:
        self._batch = LiveBatch(request, self.mode)
        self._output_dir = workflow.memo_value("output_dir", "", type_hint=str)
        self._outage = Outage(request.state.outage_since)
        self._pauses = Pauses(self._batch, self._publish_progress)
        self._listed = ListedState(self._batch, self._state_name)

    @workflow.signal
    def pause(self, control: Control | None = None) -> None:
        """Start no further API call until `resume`. Repeating it changes nothing."""
        control = control or Control()
        self._pauses.begin(by=control.by, reason=control.reason)

    @workflow.signal
    def resume(self, control: Control | None = None) -> None:
        """Go on. Also the answer to a batch that paused itself to ask about a limit: it will not ask about it again."""
        self._pauses.end(by=_cut(control or Control()).by)

    @workflow.signal
    def cancel(self, control: Control | None = None) -> None:
        """Finish the open pages, write a `cancelled` manifest and end."""
        if not self._batch.cancelled:
            self._batch.state = replace(self._batch.state, cancel=_cut(control or Control()))
            self._publish_progress()
            self._call_off_load()

    @workflow.update
    def set_limits(self, change: LimitsChange) -> CallLimits:
        """Change how hard this batch may press the API; pages that start from now on follow it."""
        batch, limits = self._batch, self._batch.state.limits
        change = replace(change, at=batch.now(), by=change.by[:MAX_TEXT_CHARS], reason=change.reason[:MAX_TEXT_CHARS])
        batch.state = replace(
            batch.state,
            limits=CallLimits(
                concurrency=limits.concurrency if change.concurrency is None else change.concurrency,
                rate=limits.rate if change.rate is None else change.rate,
            ),
            limits_log=[*batch.state.limits_log, change][-KEPT_CHANGES:],
        )
        return batch.state.limits

    @set_limits.validator
    def _check_limits(self, change: LimitsChange) -> None:
        if change.concurrency is None and change.rate is None:
            raise ValueError("nothing to set: give concurrency or rate")
        if change.concurrency is not None and not 1 <= change.concurrency <= MAX_CONCURRENCY:
            raise ValueError(f"concurrency must be 1 to {MAX_CONCURRENCY}")
        if change.rate is not None and not change.rate >= 0:
            raise ValueError("rate must be 0 (no limit) or more calls a second")

    @workflow.query
    def progress(self) -> Progress:
        """Tell how far the batch is and what it waits for."""
        state = self._batch.state
        return Progress(
            state=self._state_name(),
            mode=self.mode,
            counts=state.counts,
            total_rows=state.total_rows,
            done_bytes=state.done_bytes,
            size_bytes=self._batch.request.source.size_bytes,
            started_at=state.started_at,
            pages_in_flight=self._batch.pages_in_flight,
            paused=state.pause,
            waiting=self._outage.waiting,
            cancelling=state.cancel,
            limits=state.limits,
        )

    def _state_name(self) -> State:
        if self._batch.outcome:
            return self._batch.outcome
        if self._batch.paused:
            return "paused"
        return "waiting" if self._outage.waiting else "running"

    def _publish_progress(self) -> None:
        """Show how far the batch is, and what it waits for, on Temporal's own page."""
        now, output_dir = workflow.now(), self._output_dir
        workflow.set_current_details(current_details(self.progress(), self._batch, output_dir=output_dir, now=now))

    @abstractmethod
    def _call_off_load(self) -> None:
        """End the wait for more pages, if there is one."""


class ControlOnDisk:
    """Writes each change of pause, limits and cancel to disk, so that it outlives Temporal's memory of this run."""

    def __init__(self, batch: LiveBatch, steps: Steps) -> None:
        self._batch = batch
        self._steps = steps
        self._kept = ControlState()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write from now on, beside the work."""
        self._task = asyncio.create_task(self._keep())

    def is_current(self) -> bool:
        """Return whether nothing is left to write: what is set is on disk, or nothing is written for this batch."""
        return self._kept == self._batch.state.control() or self._task is None or self._task.done()

    async def _keep(self) -> None:
        while True:
            await workflow.wait_condition(lambda: not self.is_current())
            if not workflow.patched("control-state-on-disk"):
                return
            control = self._batch.state.control()
            await self._steps.keep_control_state(replace(control, at=self._batch.now()))
            self._kept = control


def excess(shape: Shape, counts: Counts, *, accepted: Collection[str] = (), whole: bool = False) -> Excess | None:
    """Return the first limit that `counts` is past, but for those `accepted`; None where all is well.

    A share is judged once `limit_sample_rows` records are done, or when `counts` are those of the `whole` file.
    """
    for limit, most, amount, kind in (
        ("MAX_FALLBACK", shape.max_fallback, counts.fallback, "fallback"),
        ("MAX_REJECTED", shape.max_rejected, counts.rejected, "rejected"),
    ):
        enough = whole or counts.records >= shape.limit_sample_rows
        if limit not in accepted and _is_past(most, amount, counts.records, enough=enough):
            reason = f"{amount} of {counts.records} rows are {kind}, more than BATCH_{limit}={most} allows"
            return Excess(limit, reason)
    return None


def _is_past(most: str, amount: int, records: int, *, enough: bool) -> bool:
    if not most.endswith("%"):
        return amount > int(most)
    share = float(most[:-1]) / 100
    return share < 1 and enough and amount > share * records


def _cut(control: Control) -> Control:
    return Control(by=control.by[:MAX_TEXT_CHARS], reason=control.reason[:MAX_TEXT_CHARS])
