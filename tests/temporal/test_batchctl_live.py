"""batchctl against a real Temporal server and the real workflows, with activities that touch nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import count

import pytest
from batchctl_runner import BatchctlRunner
from live_batches import Batches, eventually, held
from stub_activities import ROWS, StubActivities
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from daemon.batchctl.exit_codes import NotPossible
from daemon.batchctl.state.live import LiveBatches
from daemon.config.settings import Settings
from daemon.temporal.search_attributes import SearchAttributes
from workflows.batch_workflows import CursorBatchWorkflow
from workflows.models import LimitsChange
from workflows.requests import EnrichedPage, EnrichPage

HEARTBEAT_THROTTLE = timedelta(seconds=0.3)
NUMBERS = count(1_000)


async def test_pause_and_resume_repeat_without_harm_and_a_paused_batch_tells_who_and_why(
    runner: BatchctlRunner, batches: Batches
) -> None:
    stub = held()
    async with batches.worker(stub):
        receipt, handle = await batches.started()
        await eventually(
            lambda: runner.run_in_thread("status", receipt.id, "--json"), lambda it: it["state"] == "running"
        )

        paused = await runner.run_in_thread("pause", receipt.id, "--reason", "lunch")
        assert (paused.code, "is paused" in paused.err) == (0, True), paused.err
        assert stub.open_now == 0, "no page is being enriched when pause returns"
        status = (await runner.run_in_thread("status", receipt.id, "--json")).json()
        assert status["state"] == "paused"
        assert status["paused"]["reason"] == "lunch"
        assert "@" in status["paused"]["by"]
        assert status["eta_s"] is None
        again = await runner.run_in_thread("pause", receipt.id)
        assert (again.code, "already paused" in again.err) == (0, True)

        stub.gate.set()
        resumed = await runner.run_in_thread("resume", receipt.id)
        assert (resumed.code, "is running" in resumed.err) == (0, True)
        assert (await handle.result()).counts.records == 4 * ROWS


async def test_a_finished_batch_without_a_receipt_of_its_end_is_told_by_temporal(
    runner: BatchctlRunner, batches: Batches
) -> None:
    async with batches.worker(StubActivities(pages=2)):
        receipt, handle = await batches.started()
        await handle.result()
        waited = await runner.run_in_thread("wait", receipt.id, "--json", "--timeout", "10")
        assert waited.code == 0
        status = waited.json()
        assert (status["state"], status["progress"], status["rows"]["done"]) == ("completed", 1.0, 2 * ROWS)
        refused = await runner.run_in_thread("pause", receipt.id)
        assert (refused.code, "is completed and cannot be paused" in refused.err) == (1, True)


async def test_cancel_ends_a_paused_batch_and_repeats_without_harm(runner: BatchctlRunner, batches: Batches) -> None:
    stub = held()
    async with batches.worker(stub):
        receipt, _ = await batches.started()
        await runner.run_in_thread("pause", receipt.id)
        stub.gate.set()
        cancelled = await runner.run_in_thread("cancel", receipt.id, "--wait", "--reason", "wrong file")
        assert cancelled.code == 0, cancelled.err
        assert (await runner.run_in_thread("status", receipt.id, "--json")).json()["state"] == "cancelled"
        assert "already cancelled" in (await runner.run_in_thread("cancel", receipt.id)).err


async def test_wait_times_out_with_exit_code_5(runner: BatchctlRunner, batches: Batches) -> None:
    async with batches.worker(held()):
        receipt, handle = await batches.started()
        waited = await runner.run_in_thread("wait", receipt.id, "--timeout", "0.3")
        assert (waited.code, "has not ended within 0.3 s" in waited.err) == (5, True)
        await handle.terminate(reason="enough")
        status = (await runner.run_in_thread("status", receipt.id, "--json")).json()
        assert (status["state"], "terminated in Temporal: enough" in status["error"]) == ("failed", True)
        assert (await runner.run_in_thread("wait", receipt.id)).code == 1


async def test_without_a_worker_a_batch_waits_for_one_and_a_pause_is_recorded(
    runner: BatchctlRunner, batches: Batches
) -> None:
    receipt, handle = await batches.started()
    status = (await runner.run_in_thread("status", receipt.id, "--json")).json()
    assert (status["state"], status["waiting_on"]) == ("waiting", "worker")
    assert status["waiting"] == {"on": "worker", "since": None, "until": None, "detail": None}
    paused = await runner.run_in_thread("pause", receipt.id)
    assert (paused.code, "takes hold when one is back" in paused.err) == (0, True)
    async with batches.worker(StubActivities()):
        await eventually(
            lambda: runner.run_in_thread("status", receipt.id, "--json"), lambda it: it["state"] == "paused"
        )
    await handle.terminate()


async def test_an_activity_that_keeps_failing_is_what_the_batch_waits_for(
    runner: BatchctlRunner, batches: Batches
) -> None:
    def full(_: EnrichPage, __: int) -> EnrichedPage:
        raise ApplicationError("no space left on /out", type="StorageFull")

    async with batches.worker(StubActivities(pages=1, answer=full)):
        receipt, handle = await batches.started()
        status = await eventually(
            lambda: runner.run_in_thread("status", receipt.id, "--json"), lambda it: it["waiting_on"]
        )
        assert (status["state"], status["waiting_on"]) == ("waiting", "disk: no space left on /out")
        assert status["waiting"] == {"on": "disk", "since": None, "until": None, "detail": "no space left on /out"}
        await handle.terminate()


async def test_an_outage_of_the_api_is_shown_with_since_when_and_until_when(
    runner: BatchctlRunner, batches: Batches
) -> None:
    def down(_: EnrichPage, __: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_down", detail="503", retry_after_s=30)

    async with batches.worker(StubActivities(pages=2, answer=down)):
        receipt, handle = await batches.started()
        status = await eventually(
            lambda: runner.run_in_thread("status", receipt.id, "--json"), lambda it: it["waiting_on"]
        )
        assert (status["state"], status["waiting_on"]) == ("waiting", "api")
        assert (status["waiting"]["on"], status["waiting"]["detail"]) == ("api", "503")
        since, until = (datetime.fromisoformat(status["waiting"][each]) for each in ("since", "until"))
        assert since < until
        shown = (await runner.run_in_thread("status", receipt.id)).out
        assert "waiting for the api since" in shown
        assert "asks again at" in shown
        listed = (await runner.run_in_thread("list", "--state", "waiting", "--json")).json()["batches"]
        assert [each["id"] for each in listed] == [receipt.id]
        [feed] = (await runner.run_in_thread("feeds", "--json")).json()["feeds"]
        assert (feed["waiting"], feed["running"]) == (1, 0)
        assert (feed["outage"]["batches"], feed["outage"]["detail"]) == ([receipt.id], "503")
        assert datetime.fromisoformat(feed["outage"]["since"]) == since
        assert "1 batch waits for the API default since" in (await runner.run_in_thread("feeds")).out
        await handle.terminate()


async def test_a_pause_keeps_what_to_do_at_the_end_of_a_long_reason_and_is_bounded(
    runner: BatchctlRunner, batches: Batches
) -> None:
    reason = f"the API at http://example.org/{'long/' * 60} answered 401; mend BATCH_API_TOKEN, restart, then resume"

    def refused(_: EnrichPage, __: int) -> EnrichedPage:
        return EnrichedPage(outcome="api_refused", detail=reason)

    async with batches.worker(StubActivities(pages=1, answer=refused)):
        receipt, handle = await batches.started()
        status = await eventually(lambda: runner.run_in_thread("status", receipt.id, "--json"), lambda it: it["paused"])
        assert status["paused"]["reason"] == reason
        await handle.terminate()
    async with batches.worker(held()):
        receipt, handle = await batches.started()
        await runner.run_in_thread("pause", receipt.id, "--reason", "x" * 10_000)
        status = (await runner.run_in_thread("status", receipt.id, "--json")).json()
        assert len(status["paused"]["reason"]) == 500
        await handle.terminate()


async def test_set_changes_the_limits_of_one_running_batch_or_of_all(runner: BatchctlRunner, batches: Batches) -> None:
    stub = held()
    async with batches.worker(stub):
        receipt, handle = await batches.started()
        done = await runner.run_in_thread("set", receipt.id, "concurrency=8", "rate=2.5", "--reason", "night")
        assert (done.code, "concurrency 8, rate 2.5 calls/s" in done.err) == (0, True), done.err
        progress = await handle.query(CursorBatchWorkflow.progress)
        assert (progress.limits.concurrency, progress.limits.rate) == (8, 2.5)
        everyone = await runner.run_in_thread("set", "--all", "rate=0")
        assert (everyone.code, f"{receipt.id}: concurrency 8, rate no limit" in everyone.err) == (0, True)
        stub.gate.set()
        await handle.result()


async def test_set_without_a_worker_says_that_nothing_was_changed_and_leaves_nothing_behind(
    runner: BatchctlRunner, batches: Batches
) -> None:
    receipt, handle = await batches.started()
    for which in (receipt.id, "--all"):
        refused = await runner.run_in_thread("set", which, "concurrency=8")
        assert (refused.code, f"{receipt.id}: no worker answers, so nothing was changed" in refused.err) == (1, True)
        assert "Traceback" not in refused.err
    async with batches.worker(StubActivities()):
        await handle.result()
        progress = await handle.query(CursorBatchWorkflow.progress)
    assert progress.limits.concurrency is None


async def test_a_change_that_no_worker_takes_in_time_is_told_to_be_uncertain(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.batchctl.state.live.RPC_TIMEOUT", timedelta(seconds=0.5))
    receipt, handle = await batches.started()
    live = LiveBatches(batches.client, Settings(task_queue=batches.queue))
    with pytest.raises(NotPossible, match="did not answer in time; the change may still take hold"):
        await live.set_limits(receipt.id, LimitsChange(rate=5))
    await handle.terminate()


async def test_a_batch_that_has_no_receipt_here_is_found_by_temporal(runner: BatchctlRunner, batches: Batches) -> None:
    async with batches.worker(held()):
        receipt, handle = await batches.started()
        (runner.state_dir / "receipts" / f"{receipt.id}.json").unlink()
        assert (await runner.run_in_thread("status", f"batch-{receipt.id}", "--json")).json()["id"] == receipt.id
        unknown = await runner.run_in_thread("status", "users-ffffffffffff")
        assert (unknown.code, "no batch 'users-ffffffffffff'" in unknown.err) == (4, True)
        await handle.terminate()


async def test_watch_prints_a_line_per_change_and_ends_with_the_batch(runner: BatchctlRunner, batches: Batches) -> None:
    stub = held(pages=3)
    async with batches.worker(stub):
        receipt, _ = await batches.started()
        watching = asyncio.create_task(runner.run_in_thread("watch"))
        await asyncio.sleep(0)
        stub.gate.set()
        watched = await watching
        assert watched.code == 0
        assert watched.out.splitlines()[-1].startswith(f"{receipt.id}  100.0 %")
        assert "is completed (30 rows)" in watched.err


async def test_doctor_sees_the_worker_the_retention_and_the_attributes(
    runner: BatchctlRunner, batches: Batches
) -> None:
    await SearchAttributes(batches.client).register()
    async with batches.worker(StubActivities()):
        for _ in range(100):
            checks = {each["check"]: each for each in (await runner.run_in_thread("doctor", "--json")).json()["checks"]}
            if checks["workers"]["level"] == "OK":
                break
        assert checks["workers"]["level"] == "OK"
        assert checks["retention"]["level"] == "OK"
        assert checks["attributes"]["level"] == "OK"
        assert checks["api"]["level"] == "FAIL"


async def test_a_batch_that_another_installation_has_started_is_not_shown_or_steered_as_ours(
    runner: BatchctlRunner, batches: Batches
) -> None:
    async with batches.worker(held()):
        receipt, handle = await batches.started()
        why = "Temporal has it of another installation: inbox /srv/other/inbox"
        (runner.receipts.folder / f"{receipt.id}.json").unlink()
        runner.receipts.write(replace(receipt, state="claimed", reason=why, error_type="StartedElsewhere"))
        document = (await runner.run_in_thread("status", receipt.id, "--json")).json()
        assert (document["state"], document["waiting_on"], document["run_id"]) == ("waiting", "start", None)
        assert why in (await runner.run_in_thread("status", receipt.id)).out
        for command in ("pause", "resume", "cancel"):
            refused = await runner.run_in_thread(command, receipt.id)
            assert refused.code != 0
            assert why in refused.err
        assert (await runner.run_in_thread("wait", receipt.id, "--timeout", "1")).code == 5
        await handle.terminate()


async def test_doctor_warns_where_workers_of_several_hosts_multiply_the_limits_on_the_api(
    runner: BatchctlRunner, batches: Batches, temporal_address: str
) -> None:
    runner.set(BATCH_API_CONCURRENCY="12", BATCH_API_RATE="30")
    first, second, far = [
        await Client.connect(temporal_address, identity=each) for each in ("1@alpha", "2@alpha", "1@beta")
    ]
    async with batches.worker(StubActivities(), first), batches.worker(StubActivities(), second):
        assert (await doctor_on_workers(runner, level="OK"))["level"] == "OK"
        async with batches.worker(StubActivities(), far):
            found = await doctor_on_workers(runner, level="WARN")
    assert found["level"] == "WARN", found
    assert "on 2 hosts" in found["found"]
    assert "BATCH_API_CONCURRENCY=12 and BATCH_API_RATE=30" in found["found"]


async def test_doctor_names_the_versions_of_the_workers_where_they_are_not_all_of_its_own(
    runner: BatchctlRunner, batches: Batches, temporal_address: str
) -> None:
    own, old, older = [
        await Client.connect(temporal_address, identity=each)
        for each in (f"batchd-{version('batchd')}:1@alpha", "batchd-0.2.9:2@alpha", "3@alpha")
    ]
    async with batches.worker(StubActivities(), own):
        assert f"of version {version('batchd')}" in (await doctor_on_workers(runner, level="OK"))["found"]
        async with batches.worker(StubActivities(), old), batches.worker(StubActivities(), older):
            found = await doctor_on_workers(runner, level="WARN")
            for _ in range(200):
                if "an older version (1)" in found["found"] and "0.2.9 (1)" in found["found"]:
                    break
                found = await doctor_on_workers(runner, level="WARN")
    assert f"an older version (1), 0.2.9 (1), {version('batchd')} (1)" in found["found"], found
    assert "restart those" in found["todo"]


async def doctor_on_workers(runner: BatchctlRunner, *, level: str) -> dict[str, str]:
    """Return what doctor says of the workers once it says so with that level."""
    for _ in range(200):
        checks: dict[str, dict[str, str]] = {
            each["check"]: each for each in (await runner.run_in_thread("doctor", "--json")).json()["checks"]
        }
        if checks["workers"]["level"] == level:
            break
        await asyncio.sleep(0.05)
    return checks["workers"]
