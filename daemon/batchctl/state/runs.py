"""What Temporal says of one run: whether it goes on, how it ended, what is being tried again, how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from daemon.batchctl.state.batch_view import BatchView
from workflows.errors import shortened
from workflows.models import Outcome, State
from workflows.state import BatchResult, Progress

MAX_REASON_CHARS = 200
FIRST_REPORTED_ATTEMPT = 3

HEARTBEAT = timedelta(seconds=3)
"""A worker that is at work on a page says so several times a second."""


_OUTCOMES: dict[int, Outcome] = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: "completed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: "cancelled",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: "failed",
}

_SUBJECTS = {"StorageFull": "disk", "InboxMissing": "inbox"}
"""What a batch waits for, by the type of the error that is being tried again."""


def from_temporal(
    answer: DescribeWorkflowExecutionResponse, children: Sequence[DescribeWorkflowExecutionResponse] = ()
) -> BatchView:
    """Return what a description says of the newest run, with what its children are trying again."""
    facts = answer.workflow_execution_info
    outcome = _OUTCOMES.get(facts.status)
    pending = [each for described in (answer, *children) for each in described.pending_activities]
    troubles = [trouble for each in pending if (trouble := _trouble(each))]
    if facts.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED:
        troubles = ["temporal: paused by Temporal's own switch; unpause it there"]
    return BatchView(
        id=facts.execution.workflow_id,
        state=outcome or "running",
        running=outcome is None,
        run_id=facts.execution.run_id,
        mode="in-memory" if facts.type.name == "InMemoryBatchWorkflow" else "cursor",
        started_at=_iso(facts.start_time),
        finished_at=_iso(facts.close_time) if outcome else None,
        open_pages=sum(each.activity_type.name == "enrich_chunk" for each in answer.pending_activities),
        waiting_on=troubles[0] if troubles else None,
        heartbeat=any(_has_heartbeat(each) for each in answer.pending_activities),
    )


def with_result(run: BatchView, result: BatchResult) -> BatchView:
    """Return the view of a closed run with what it returned."""
    state: State = "cancelled" if result.status == "cancelled" else "completed"
    return replace(run, state=state, counts=result.counts, lost_manifest=result.manifest)


def from_workflow(progress: Progress) -> BatchView:
    """Return what the workflow itself answers."""
    return BatchView(
        id="",
        state=progress.state,
        source={"name": None, "bytes": progress.size_bytes, "sha256": None},
        counts=progress.counts,
        total_rows=progress.total_rows,
        done_bytes=progress.done_bytes,
        waiting_on=progress.waiting.on if progress.waiting else None,
        waiting=progress.waiting,
        paused=progress.paused,
        cancelling=progress.cancelling is not None,
        answered=True,
        started_at=progress.started_at or None,
    )


def _has_heartbeat(pending: PendingActivityInfo) -> bool:
    beat = pending.last_heartbeat_time.ToDatetime(UTC)
    return datetime.now(tz=UTC) - beat < HEARTBEAT


def _trouble(pending: PendingActivityInfo) -> str | None:
    """Say why an activity is being tried again, once it waits for that or has tried for a while."""
    if not pending.HasField("last_failure"):
        return None
    waits = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    if not waits and pending.attempt < FIRST_REPORTED_ATTEMPT:
        return None
    return _reason(pending.last_failure)


def _reason(failure: Failure) -> str:
    if failure.HasField("timeout_failure_info"):
        return "worker: a worker went silent; its page is being tried again"
    kind = failure.application_failure_info.type
    subject = _SUBJECTS.get(kind, "retry")
    return shortened(f"{subject}: {failure.message or kind}", MAX_REASON_CHARS)


def _iso(moment: Timestamp) -> str:
    return moment.ToDatetime(UTC).isoformat(timespec="milliseconds")
