"""What an operator can do to a running batch, and what it answers: signals, the update, the query.

Both batch workflows inherit this. The handlers only change state; the work in `workflows.batch` looks at it.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from temporalio import workflow

from workflows.ids import printable
from workflows.limits import excess
from workflows.models import BatchRef, CallLimits, Control, LimitsChange, Mode, Outcome, Pause, State
from workflows.outage import Outage
from workflows.state import BatchRequest, BatchState, Progress

KEPT_PAUSES = 100
"""Newest pauses kept for the manifest, so that a script that pauses in a loop cannot grow the history."""

KEPT_CHANGES = 100
SERVICE = "batchd"
MAX_CONCURRENCY = 4_096
MAX_WORD_CHARS = 500
"""Texts are cut to this, to keep the history small; what to do stands at the end of a reason, after an address."""


class BatchControl:
    """The state of one batch with the handlers that change it from outside."""

    mode: Mode

    def __init__(self, request: BatchRequest) -> None:
        self._request = request
        self._state: BatchState = request.state
        self._outage = Outage(request.state.outage_since)
        self._batch = BatchRef(
            id=request.id, source=request.source, csv=request.shape.csv, generation=request.generation
        )
        self._outcome: Outcome | None = None
        self._running_pages = 0

    @workflow.signal
    def pause(self, control: Control | None = None) -> None:
        """Start no further API call until `resume`. Repeating it changes nothing."""
        control = control or Control()
        self._pause(by=control.by, reason=control.reason)

    @workflow.signal
    def resume(self, control: Control | None = None) -> None:
        """Go on. Also the answer to a batch that paused itself to ask about a limit: it will not ask about it again."""
        if self._state.pause is None:
            return
        ended = replace(self._state.pause, to=self._now())
        self._state = replace(
            self._state,
            pause=None,
            pauses=[*self._state.pauses, ended][-KEPT_PAUSES:],
            asked="",
            accepted=[*self._state.accepted, *([self._state.asked] if self._state.asked else [])],
        )
        self._log("batch.resumed", by=_cut(control or Control()).by)
        self._ask_where_a_limit_is_past()

    @workflow.signal
    def cancel(self, control: Control | None = None) -> None:
        """Finish the open pages, write a `cancelled` manifest and end."""
        if self._state.cancel is None:
            self._state = replace(self._state, cancel=_cut(control or Control()))
            self._call_off_load()

    @workflow.update
    def set_limits(self, change: LimitsChange) -> CallLimits:
        """Change how hard this batch may press the API; pages that start from now on follow it."""
        change = replace(change, at=self._now(), by=change.by[:MAX_WORD_CHARS], reason=change.reason[:MAX_WORD_CHARS])
        self._state = replace(
            self._state,
            limits=CallLimits(
                concurrency=self._state.limits.concurrency if change.concurrency is None else change.concurrency,
                rate=self._state.limits.rate if change.rate is None else change.rate,
            ),
            limits_log=[*self._state.limits_log, change][-KEPT_CHANGES:],
        )
        return self._state.limits

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
        state = self._state
        return Progress(
            state=self._state_word(),
            mode=self.mode,
            counts=state.counts,
            total_rows=state.total_rows,
            done_bytes=state.done_bytes,
            size_bytes=self._request.source.size_bytes,
            started_at=state.started_at,
            pages_in_flight=self._running_pages,
            paused=state.pause,
            waiting=self._outage.waiting,
            cancelling=state.cancel,
            limits=state.limits,
        )

    def _state_word(self) -> State:
        if self._outcome:
            return self._outcome
        if self._state.pause and not self._state.cancel:
            return "paused"
        return "waiting" if self._outage.waiting else "running"

    def _pause(self, *, by: str, reason: str) -> None:
        if self._state.pause is None:
            pause = Pause(since=self._now(), by=by[:MAX_WORD_CHARS], reason=reason[:MAX_WORD_CHARS])
            self._state = replace(self._state, pause=pause)
            level = logging.WARNING if by == SERVICE else logging.INFO
            self._log("batch.paused", level, by=pause.by, why=pause.reason)

    def _ask_where_a_limit_is_past(self) -> None:
        past = excess(
            self._request.shape, self._state.counts, accepted=self._state.accepted, whole=self._nothing_left()
        )
        if past and self._state.pause is None:
            self._pause(by=SERVICE, reason=f"{past.reason}; resume goes on, cancel ends it")
            self._state = replace(self._state, asked=past.limit)

    def _call_off_load(self) -> None:
        """End the wait for more pages, if there is one."""
        raise NotImplementedError

    def _nothing_left(self) -> bool:
        """Tell whether every page of the file has been saved."""
        raise NotImplementedError

    def _asks(self) -> bool:
        """Tell whether the batch waits for an operator to say whether a limit may be past."""
        return bool(self._state.asked) and self._stopped()

    def _stopped(self) -> bool:
        """Tell whether no new call may start: paused, and not on the way out."""
        return self._state.pause is not None and self._state.cancel is None

    def _log(self, event: str, level: int = logging.INFO, **fields: str) -> None:
        """Log a change of the batch's state, once: not again when the workflow is replayed."""
        shown = {key: printable(value) for key, value in fields.items()}
        workflow.logger.log(level, event, extra={"fields": {**self._batch.log_fields, **shown}})

    def _now(self) -> str:
        return workflow.now().isoformat(timespec="milliseconds")


def _cut(control: Control) -> Control:
    return Control(by=control.by[:MAX_WORD_CHARS], reason=control.reason[:MAX_WORD_CHARS])
