"""What an operator set for a batch is on disk, and outlives Temporal's memory of the run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from claims import Claim
from installation import Installation, api, eventually, manifest_of, rows_of, users
from intake_site import MakeSite
from stub_activities import StubActivities, request, workers
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.registry.control_states import ControlStates, keep_control_state
from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow
from workflows.errors import TransientError
from workflows.models import BatchRef, CallLimits, Control, ControlState, CsvOptions, LimitsChange, Pause
from workflows.requests import KeepControlState
from workflows.state import BatchState

ROWS = 300
ID = "users-0123456789ab"
PAUSED = ControlState(
    pause=Pause(since="2026-01-02T03:04:05.000+00:00", by="ann", reason="their API is on fire"),
    limits=CallLimits(concurrency=2, rate=5.0),
    asked="MAX_FALLBACK",
    accepted=["MAX_REJECTED"],
    at="2026-01-02T03:04:05.000+00:00",
)
Make = Callable[..., Installation]


@pytest.fixture
def states(tmp_path: Path) -> ControlStates:
    return ControlStates(tmp_path)


def test_a_control_state_comes_back_as_it_was_written(states: ControlStates) -> None:
    assert states.read(ID) is None
    states.write(ID, PAUSED)
    assert states.read(ID) == PAUSED
    later = replace(PAUSED, pause=None, cancel=Control(by="ann"), at="2026-01-02T03:04:06.000+00:00")
    states.write(ID, later)
    states.write(ID, PAUSED)
    assert states.read(ID) == later, "an attempt that was late takes nothing back"
    states.remove(ID)
    states.remove(ID)
    assert states.read(ID) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pause": 1}', b'{"pause": {"until": 1}}', b"[" * 50_000])
def test_what_makes_no_sense_counts_as_a_pause(states: ControlStates, content: bytes) -> None:
    states.write(ID, PAUSED)
    (states.folder / f"{ID}.json").write_bytes(content)
    found = states.read(ID)
    assert found
    assert found.pause
    assert "is damaged" in found.pause.reason


def test_what_cannot_be_read_is_never_taken_for_nothing(states: ControlStates) -> None:
    (states.folder / f"{ID}.json").mkdir(parents=True)
    with pytest.raises(TransientError):
        states.read(ID)


def test_nothing_is_kept_of_a_batch_that_has_ended(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    states = ControlStates(tmp_path / "state")
    asked = KeepControlState(batch=BatchRef(id=claim.id, source=claim.source, csv=CsvOptions()), state=PAUSED)
    keep_control_state(claim.receipts, asked)
    assert states.read(claim.id) == PAUSED
    claim.file("failed", reason="x")
    assert states.read(claim.id) is None
    keep_control_state(claim.receipts, asked)
    assert states.read(claim.id) is None


async def test_a_batch_that_is_started_again_begins_as_it_was_held_back(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [(batch, first)] = site.temporal.started.items()
    assert first.state == BatchState()
    ControlStates(site.state_dir).write(batch, PAUSED)
    site.receipts.write(replace(site.all_receipts()[0], state="running"))
    site.temporal.started.clear()
    site.temporal.outcomes[batch] = "unknown"
    site.new_intake()
    for _ in range(3):
        await site.scan(after_s=10)
    state = site.temporal.started[batch].state
    assert (state.pause, state.limits, state.asked, state.accepted) == (
        PAUSED.pause,
        PAUSED.limits,
        PAUSED.asked,
        PAUSED.accepted,
    )
    site.end(batch, "completed")
    assert ControlStates(site.state_dir).read(batch) is None


class ReadOnlyStub(StubActivities):
    """Its state folder takes no write at first."""

    failures = 2

    @activity.defn(name="keep_control_state")
    async def keep_control_state(self, request: KeepControlState) -> None:
        if self.failures:
            self.failures -= 1
            raise ApplicationError("read-only", type="TransientError")
        await super().keep_control_state(request)


async def _state_is(handle: WorkflowHandle[CursorBatchWorkflow, object], state: str) -> None:
    while (await handle.query(CursorBatchWorkflow.progress)).state != state:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("stub", [StubActivities(pages=3), ReadOnlyStub(pages=3)], ids=["sound", "read-only-at-first"])
async def test_every_change_is_kept_and_a_batch_that_nobody_touches_keeps_nothing(
    temporal_address: str, stub: StubActivities
) -> None:
    client = await Client.connect(temporal_address)
    queue = f"control-{type(stub).__name__}"
    async with workers(client, queue, WORKFLOWS, stub.all()):
        batch = request(7)
        await client.execute_workflow(CursorBatchWorkflow.run, batch, id=f"{queue}-untouched", task_queue=queue)
        assert stub.kept == []
        stub.gate.clear()
        handle = await client.start_workflow(CursorBatchWorkflow.run, batch, id=queue, task_queue=queue)
        await handle.signal("pause", Control(by="ann"))
        await _state_is(handle, "paused")
        while not stub.kept:
            await asyncio.sleep(0.02)
        await handle.execute_update(CursorBatchWorkflow.set_limits, LimitsChange(rate=5.0))
        await handle.signal("resume")
        while stub.kept[-1].pause is not None:
            await asyncio.sleep(0.02)
        stub.gate.set()
        await handle.result()
    pauses = [each.pause.by if each.pause else None for each in stub.kept]
    assert (pauses[0], pauses[-1]) == ("ann", None)
    assert stub.kept[-1].limits == CallLimits(rate=5.0)
    assert stub.kept[0].at


async def test_a_batch_begins_cancelled_where_that_was_set(temporal_address: str) -> None:
    stub, client = StubActivities(), await Client.connect(temporal_address)
    batch = replace(request(8), state=BatchState.begun_with(ControlState(cancel=Control(by="ann"))))
    async with workers(client, "cancelled", WORKFLOWS, stub.all()):
        result = await client.execute_workflow(
            CursorBatchWorkflow.run, batch, id="begins-cancelled", task_queue="cancelled"
        )
    assert (result.status, stub.enriched) == ("cancelled", [])


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> BatchctlRunner:
    return BatchctlRunner(tmp_path, monkeypatch, capsys)


async def test_status_shows_the_pause_of_a_run_that_temporal_has_lost(
    runner: BatchctlRunner, temporal_address: str
) -> None:
    receipt = runner.receipt(state="running")
    ControlStates(runner.state_dir).write(receipt.id, PAUSED)
    runner.set(TEMPORAL_ADDRESS=temporal_address)
    shown = await runner.run_in_thread("status", receipt.id)
    assert "paused by ann since" in shown.out
    status = (await runner.run_in_thread("status", receipt.id, "--json")).json()
    assert (status["state"], status["paused"]["reason"]) == ("paused", "their API is on fire")
    runner.set(TEMPORAL_ADDRESS="127.0.0.1:1")
    runner.give_up_soon()
    silent = await runner.run_in_thread("status", receipt.id)
    assert silent.code == 3
    assert "it was paused by ann since" in silent.err


@pytest.mark.timeout(180)
def test_a_paused_batch_stays_paused_when_everything_is_killed_and_temporals_database_is_lost(
    installation: Make,
) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES="0", BATCH_PAGE_ROWS="50", BATCH_API_RATE="50")
    base = site.mock_api()
    service = site.batchd()
    site.drop("users.csv", users(ROWS))
    eventually(lambda: api(base, "/calls")["total"] > 20, "calls are made")
    assert site.batchctl("pause", "users.csv", "--reason", "their API is on fire").returncode == 0
    assert site.batchctl("set", "users.csv", "concurrency=2").returncode == 0
    calls = api(base, "/calls")["total"]

    server = int(json.loads((site.state_dir / "server.json").read_text())["pid"])
    service.kill_group()
    eventually(lambda: not Path(f"/proc/{server}").exists() or _killed(server), "the server is gone")
    for database in site.state_dir.glob("temporal.db*"):
        database.unlink()
    site.batchd(name="again")
    eventually(lambda: site.status("users.csv").get("run_id"), "the batch is started again")
    eventually(lambda: site.status("users.csv")["waiting_on"] is None, "its worker answers")
    status = site.status("users.csv")
    assert (status["state"], status["paused"]["reason"]) == ("paused", "their API is on fire")
    assert api(base, "/calls")["total"] == calls

    assert site.batchctl("resume", "users.csv").returncode == 0
    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, ROWS + 1))
    assert api(base, "/calls")["total"] <= ROWS + 64
    assert [each["reason"] for each in manifest_of(folder)["pauses"]] == ["their API is on fire"]
    eventually(lambda: not list((site.state_dir / "control").iterdir()), "the control state is removed")


def _killed(pid: int) -> bool:
    os.kill(pid, signal.SIGKILL)
    return False
