"""The real intake goes through sequences of the model's events and ends as the model does."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from intake_site import CSV, Killed
from intake_story import IntakeStory

from daemon.intake import attempts
from workflows.models import Outcome

NAMES = st.sampled_from(["u.csv", "v.csv"])
CONTENTS = st.sampled_from([CSV, CSV + b"3,c\n"])
KILLS = st.one_of(st.just(0), st.integers(1, 20))
"""The failpoint at which the process is killed; 0 is none."""

PICKS = st.integers(0, 3)
"""Of several batches the one that is meant. Nothing is drawn by what has happened: threads go in no fixed order."""

OUTCOMES = st.sampled_from(["completed", "failed", "cancelled"])


def _say_unless_killed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let a killed task go unasked: nobody is left who could ask."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


class IntakeMachine(RuleBasedStateMachine):
    """Drops, scans, kills and losses in any order; what is left at the end is checked from the disk."""

    identity = "name+content"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.note_after_s = attempts.NOTE_AFTER_S
        attempts.NOTE_AFTER_S = 0.0  # it goes by the loop's own clock, which nothing here can move
        self.story = self.runner.run(self._begin())

    async def _begin(self) -> IntakeStory:
        asyncio.get_running_loop().set_exception_handler(_say_unless_killed)
        return IntakeStory(Path(self.folder.name), identity=self.identity)

    @rule(name=NAMES, content=CONTENTS)
    def drop(self, name: str, content: bytes) -> None:
        self.story.drop(name, content)

    @rule(kill_at=KILLS, lost_replies=st.integers(0, 1))
    def scan(self, kill_at: int, lost_replies: int) -> None:
        self.story.temporal.lose_replies = lost_replies
        self.runner.run(self.story.scan(kill_at=kill_at))

    @rule(pick=PICKS, outcome=OUTCOMES, kill_at=KILLS)
    def end(self, pick: int, outcome: Outcome, kill_at: int) -> None:
        running = self.story.temporal.running()
        if running:
            self.story.end(running[pick % len(running)], outcome, kill_at=kill_at)

    @rule(pick=PICKS, all_of_them=st.booleans())
    def lose_runs(self, pick: int, *, all_of_them: bool) -> None:
        runs = sorted(self.story.temporal.runs)
        batch = runs[pick % len(runs)] if runs else ""
        if all_of_them:
            self.story.wipe()
        elif batch in self.story.temporal.running():
            self.story.terminate(batch)
        elif batch:
            del self.story.temporal.runs[batch]

    def rest(self) -> None:
        self.runner.run(self.story.come_to_rest())
        self.story.check()

    def teardown(self) -> None:
        try:
            self.rest()
        finally:
            attempts.NOTE_AFTER_S = self.note_after_s
            self.story.close(self.runner)
            self.folder.cleanup()


class ContentMachine(IntakeMachine):
    """The same, where the content alone makes the identity."""

    identity = "content"


MACHINES = [IntakeMachine, ContentMachine]
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@pytest.mark.parametrize("lost", ["its run", "all runs"])
async def test_a_worker_killed_at_any_step_of_its_filing_whose_run_is_lost_leaves_nothing_open(
    tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "NOTE_AFTER_S", 0.0)
    for step in range(1, 60):
        story = IntakeStory(tmp_path / f"{step}")
        story.drop("u.csv", CSV)
        await story.scan(kill_at=0)
        [batch] = story.temporal.running()
        story.end(batch, "completed", kill_at=step)
        killed = batch in story.temporal.running()
        if lost == "all runs":
            story.wipe()
        elif killed:
            story.terminate(batch)
        await story.come_to_rest()
        story.check()
        await story.site.close()
        if not killed:
            assert step > 10
            return


@pytest.mark.parametrize("machine", MACHINES)
def test_whatever_happens_in_whatever_order_every_file_ends_in_one_place(machine: type[IntakeMachine]) -> None:
    few = settings(QUIET, max_examples=60, stateful_step_count=20, derandomize=True, database=None)
    run_state_machine_as_test(machine, settings=few)  # type: ignore[no-untyped-call]


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("machine", MACHINES)
def test_whatever_happens_for_longer_every_file_ends_in_one_place(machine: type[IntakeMachine]) -> None:
    many = settings(QUIET, max_examples=1_000, stateful_step_count=30)
    run_state_machine_as_test(machine, settings=many)  # type: ignore[no-untyped-call]
