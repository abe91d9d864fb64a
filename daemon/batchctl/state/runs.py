"""What the server says of one run: whether it goes on, how it ended, what is being tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from workflows.errors import shortened
from workflows.models import Mode, Outcome
from workflows.state import BatchResult

MAX_WORD_CHARS = 200
SHOWN_ATTEMPT = 3

BEAT = timedelta(seconds=3)
"""A worker that is at work on a page says so several times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The newest run of a batch's workflow. `outcome` is None while it runs.

    `open_pages` counts pages being enriched; `trouble` says what is being tried again and why; `beating` tells whether
    a worker gave a sign of life for it just now.
    """

    run_id: str
    mode: Mode
    started_at: str
    outcome: Outcome | None = None
    finished_at: str | None = None
    open_pages: int = 0
    trouble: str | None = None
    beating: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a closed run ended: its result, or why it has none."""

    result: BatchResult | None = None
    error: str | None = None


_OUTCOMES: dict[int, Outcome] = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: "completed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: "cancelled",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: "failed",
}

_SUBJECTS = {"StorageFull": "disk", "InboxMissing": "inbox"}
"""What a batch waits for, by the type of the error that is being tried again."""


def described_run(
    answer: DescribeWorkflowExecutionResponse, children: Sequence[DescribeWorkflowExecutionResponse] = ()
) -> Run:
    """Return what a description says, with what its children are trying again."""
    facts = answer.workflow_execution_info
    outcome = _OUTCOMES.get(facts.status)
    pending = [each for described in (answer, *children) for each in described.pending_activities]
    troubles = [told for each in pending if (told := _trouble(each))]
    if facts.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED:
        troubles = ["temporal: paused by Temporal's own switch; unpause it there"]
    return Run(
        run_id=facts.execution.run_id,
        mode="in-memory" if facts.type.name == "InMemoryBatchWorkflow" else "cursor",
        started_at=_iso(facts.start_time),
        outcome=outcome,
        finished_at=_iso(facts.close_time) if outcome else None,
        open_pages=sum(each.activity_type.name == "enrich_chunk" for each in answer.pending_activities),
        trouble=troubles[0] if troubles else None,
        beating=any(_is_beating(each) for each in answer.pending_activities),
    )


def _is_beating(pending: PendingActivityInfo) -> bool:
    beat = pending.last_heartbeat_time.ToDatetime(UTC)
    return datetime.now(tz=UTC) - beat < BEAT


def _trouble(pending: PendingActivityInfo) -> str | None:
    """Say why an activity is being tried again, once it waits for that or has tried for a while."""
    if not pending.HasField("last_failure"):
        return None
    waits = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    if not waits and pending.attempt < SHOWN_ATTEMPT:
        return None
    return _told(pending.last_failure)


def _told(failure: Failure) -> str:
    if failure.HasField("timeout_failure_info"):
        return "worker: a worker went silent; its page is being tried again"
    kind = failure.application_failure_info.type
    subject = _SUBJECTS.get(kind, "retry")
    return shortened(f"{subject}: {failure.message or kind}", MAX_WORD_CHARS)


def _iso(moment: Timestamp) -> str:
    return moment.ToDatetime(UTC).isoformat(timespec="milliseconds")
