"""Committed histories replay: a batch that was started by an earlier version goes on under this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from repository import TESTS
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from daemon.temporal.payloads import DATA_CONVERTER
from daemon.traces.interceptors import TraceSteps
from daemon.worker import WORKFLOWS

FOLDER = TESTS / "histories"
VERSIONS = sorted(each.name for each in FOLDER.iterdir() if each.is_dir())
HISTORIES = {str(each.relative_to(FOLDER)): each for each in sorted(FOLDER.glob("*/*.json"))}
STORIES = {"outage", "one-page", "refused", "failed", "cancelled", "cancelled-in-temporal", "limits", "damaged"}


class NoSpans:
    """Fails where a replay would make a span."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a replay has asked for {name}")


@pytest.mark.parametrize("traced", [False, True], ids=["", "traced"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_histories_of_every_version_replay(version: str, *, traced: bool) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=DATA_CONVERTER,
        interceptors=[TraceSteps(NoSpans())] if traced else [],
    )
    for name, path in HISTORIES.items():
        if name.startswith(f"{version}/"):
            result = await replayer.replay_workflow(_history(path.read_text()), raise_on_replay_failure=False)
            assert result.replay_failure is None, f"{name}: {result.replay_failure}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("workflow", ["CursorBatchWorkflow", "InMemoryBatchWorkflow", "RetryFailedWorkflow"])
def test_every_version_has_the_history_of_every_story_of_every_batch_workflow(version: str, workflow: str) -> None:
    small = set() if version == "0.1.0" else {f"small-{each}" for each in STORIES - {"one-page"}}
    for story in STORIES | small:
        assert f"{version}/{workflow}-{story}.json" in HISTORIES
    assert f"{version}/{workflow}-turnover-2.json" in HISTORIES, "a run that continue-as-new began"


async def test_a_history_with_another_order_of_steps_fails_to_replay() -> None:
    """A replay that cannot fail would prove nothing: here the first activity is said to have been another one."""
    events = json.loads(HISTORIES["0.1.0/CursorBatchWorkflow.json"].read_text())
    first = next(each for each in events["events"] if "activityTaskScheduledEventAttributes" in each)
    first["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "enrich_chunk"
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER).replay_workflow(_history(json.dumps(events)))


def test_histories_are_never_recorded_over(tmp_path: Path) -> None:
    """The recorder stops where the version it would record has its folder already."""
    recorder = TESTS / "support" / "record_histories.py"
    stale = "import sys; import record_histories as r; r.version = lambda _: '0.1.0'; r.main()"
    before = {name: path.read_bytes() for name, path in HISTORIES.items()}
    ended = subprocess.run(
        [sys.executable, "-c", stale], cwd=recorder.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "never recorded over" in ended.stderr
    assert {name: path.read_bytes() for name, path in HISTORIES.items()} == before


def _history(text: str) -> WorkflowHistory:
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)
