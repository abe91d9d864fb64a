"""Committed histories replay: a batch that was started by an earlier version goes on under this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from daemon.worker import WORKFLOWS

FOLDER = Path(__file__).parent / "histories"
HISTORIES = {each.stem: each.read_text() for each in sorted(FOLDER.glob("*.json"))}


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_committed_history_replays(name: str) -> None:
    await Replayer(workflows=WORKFLOWS).replay_workflow(_history(HISTORIES[name]))


def test_there_is_a_history_of_every_batch_workflow() -> None:
    assert list(HISTORIES) == ["CursorBatchWorkflow", "InMemoryBatchWorkflow", "RetryFailedWorkflow"]


async def test_a_history_with_another_order_of_steps_fails_to_replay() -> None:
    """A replay that cannot fail would prove nothing: here the first activity is said to have been another one."""
    events = json.loads(HISTORIES["CursorBatchWorkflow"])
    first = next(each for each in events["events"] if "activityTaskScheduledEventAttributes" in each)
    first["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "enrich_chunk"
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=WORKFLOWS).replay_workflow(_history(json.dumps(events)))


def _history(text: str) -> WorkflowHistory:
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)
