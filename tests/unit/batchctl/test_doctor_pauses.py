"""What `doctor` says of batches that stand still until somebody resumes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner

from activities.registry.control_states import ControlStates
from workflows.models import QUESTION, SERVICE, ControlState, Pause

WHY = "the API at https://api.example.org/enrich answered 401: it does not accept the credentials; mend the token"


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> BatchctlRunner:
    return BatchctlRunner(tmp_path, monkeypatch, capsys)


def paused(runner: BatchctlRunner, name: str, pause: Pause | None, state: str = "running") -> str:
    receipt = runner.receipt(name, state=state)
    ControlStates(runner.receipts.folder.parent).write(receipt.id, ControlState(pause=pause))
    return receipt.id


def finding(runner: BatchctlRunner) -> tuple[str, str, str]:
    checks = {each["check"]: each for each in runner.run("doctor", "--json").json()["checks"]}
    found = checks["pauses"]
    return found["level"], found["found"], found["todo"]


def test_nothing_stands_still_where_nobody_has_paused_anything(runner: BatchctlRunner) -> None:
    assert finding(runner) == ("OK", "no batch stands still until somebody resumes it", "")


def test_what_the_api_refused_comes_first_with_the_word_for_all(runner: BatchctlRunner) -> None:
    paused(runner, "c.csv", Pause(since="2026-01-01T00:00:00Z", by="ann@host", reason="lunch"))
    assert finding(runner)[0] == "OK"
    asked = paused(runner, "b.csv", Pause(since="2026-01-01T00:00:00Z", by=SERVICE, reason=f"too many; {QUESTION}"))
    assert finding(runner)[:2] == ("WARN", f"over a question: 1 batch {asked}: too many; {QUESTION}")
    refused = paused(runner, "a.csv", Pause(since="2026-01-01T00:00:00Z", by=SERVICE, reason=WHY))
    assert finding(runner) == (
        "FAIL",
        f"over a refusal of the API: 1 batch {refused}: {WHY}",
        "mend that, then: batchctl resume --all",
    )
    paused(runner, "d.csv", Pause(since="2026-01-01T00:00:00Z", by=SERVICE, reason=WHY))
    assert "2 batches, such as " in finding(runner)[1]


def test_what_has_ended_or_goes_on_counts_no_more(runner: BatchctlRunner) -> None:
    paused(runner, "ended.csv", Pause(since="2026-01-01T00:00:00Z", by=SERVICE, reason=WHY), state="completed")
    paused(runner, "resumed.csv", None)
    (runner.receipts.folder.parent / "control" / ".half-written.json").touch()
    assert finding(runner)[0] == "OK"


def test_a_folder_that_cannot_be_read_is_said(runner: BatchctlRunner) -> None:
    (runner.receipts.folder.parent / "control").write_text("")
    level, found, _ = finding(runner)
    assert (level, "Not a directory" in found) == ("WARN", True)
