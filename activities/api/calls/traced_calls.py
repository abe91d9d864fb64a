"""Calls that say to the API which trace they belong to: some of those of a page whose batch is traced.

Who traces is not known here. Where nobody does, nothing of this is in the way of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Protocol

from activities.api.replies import Reply
from activities.api.rows import BulkReplied, CallRow, Replied, RowCalls


class CallTrace(Protocol):
    """The trace of one call. `traceparent` is the header that it carries."""

    traceparent: str

    def end(self, status: str) -> None:
        """Note what the call came to, as `Reply.status` has it."""


class CallTraces(Protocol):
    """What decides which calls are traced."""

    def begin(self, row: int, rows: int) -> CallTrace | None:
        """Return the trace of a call for `rows` rows, of which `row` is the first; None where it has none."""


call_traces: ContextVar[CallTraces | None] = ContextVar("call_traces", default=None)
"""What traces the calls of the step that is done; None where its batch is not traced."""


class TracedCalls:
    """The calls of one page, see `RowCalls`."""

    def __init__(self, calls: RowCalls, traces: CallTraces) -> None:
        self.bulk_size = calls.bulk_size
        self._calls = calls
        self._traces = traces

    def begin_row(self, row: CallRow, replied: Replied, *, anew: bool = False) -> None:
        """Call the API for a row, see `RowCalls`."""
        trace = self._traces.begin(row.number, 1)
        if trace is None:
            self._calls.begin_row(row, replied, anew=anew)
            return

        def ended(reply: Reply) -> None:
            row.traceparent = ""  # another call of this row has its own, or none
            trace.end(reply.status)
            replied(reply)

        row.traceparent = trace.traceparent
        self._calls.begin_row(row, ended, anew=anew)

    def begin_bulk(self, rows: Sequence[CallRow], replied: BulkReplied) -> None:
        """Call the API for many rows, see `RowCalls`."""
        trace = self._traces.begin(rows[0].number, len(rows))
        if trace is None:
            self._calls.begin_bulk(rows, replied)
            return

        def ended(reply: Reply, own: Sequence[Reply | None]) -> None:
            rows[0].traceparent = ""
            trace.end(reply.status)
            replied(reply, own)

        rows[0].traceparent = trace.traceparent
        self._calls.begin_bulk(rows, ended)
