"""How long a person waits: for a start, a stop, a drop, a kill, a scan, the original's thousand rows."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from statistics import quantiles

from installation import Installation, api, eventually, manifest_of, users
from place import installation
from temporalio.client import Client

from daemon.config.settings import Settings
from daemon.intake.scan import Intake
from daemon.intake.shared_work import SharedWork
from workflows.models import Mode
from workflows.state import BatchRequest

ORIGINAL_S = 329.8


def start_and_stop() -> dict[str, float]:
    """Seconds from `batchd run` to ready, embedded server included, and from SIGTERM in mid-batch to the end."""
    with installation(BATCH_IN_MEMORY_MAX_BYTES="0") as site:
        base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
        began = time.perf_counter()
        service = site.batchd()
        ready_s = time.perf_counter() - began
        site.drop("users.csv", users(50_000))
        eventually(lambda: api(base, "/calls")["total"] > 1_000, "calls are made")
        began = time.perf_counter()
        assert service.stop() == 0
        return {"ready_s": round(ready_s, 2), "stopped_s": round(time.perf_counter() - began, 2)}


def drop_to_start(*, events: bool, drops: int = 60) -> dict[str, float]:
    """Seconds from the rename into the inbox to the workflow's start, settle time none."""
    settings = {"BATCH_WATCH_EVENTS": "true" if events else "false"}
    with installation(**settings) as site:
        site.mock_api()
        site.batchd()
        dropped: dict[str, float] = {}
        for number in range(drops):
            source = site.root / f"users-{number}.csv"
            source.write_text(users(1, number=str(number)))
            dropped[source.name] = time.time()
            source.rename(site.inbox / source.name)
            time.sleep(0.3 if events else 0.7)
        manifests = [manifest_of(each) for each in site.finished(drops)]
        started = asyncio.run(_started(site, [each["workflow_id"] for each in manifests]))
        took_s = [at - dropped[each["source"]["name"]] for at, each in zip(started, manifests, strict=True)]
        cuts = quantiles(took_s, n=100)
        return {"p50_s": round(cuts[49], 3), "p99_s": round(cuts[98], 3)}


async def _started(site: Installation, workflow_ids: list[str]) -> list[float]:
    """Return when Temporal started each workflow, in seconds since the epoch."""
    client = await Client.connect(f"127.0.0.1:{site.env['BATCH_SERVER_PORT']}")
    described = [await client.get_workflow_handle(each).describe() for each in workflow_ids]
    return [each.start_time.timestamp() for each in described]


def killed_worker() -> dict[str, float]:
    """Seconds without a call after kill -9 of the worker, and calls that were made twice."""
    with installation(BATCH_IN_MEMORY_MAX_BYTES="0") as site:
        base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
        service = site.batchd()
        site.drop("users.csv", users(20_000))
        eventually(lambda: api(base, "/calls")["total"] > 5_000, "calls are made")
        [worker] = [pid for pid, line in site.children(service.pid) if b"--process-of" in line]
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.2)
        stalled, began = api(base, "/calls")["total"], time.perf_counter()
        eventually(lambda: api(base, "/calls")["total"] > stalled, "the work goes on")
        gap_s = time.perf_counter() - began + 0.2
        site.finished(deadline_s=120)
        repeated = api(base, "/calls")["repeated"]
        return {"gap_s": round(gap_s, 1), "calls_made_twice": sum(times - 1 for times in repeated.values())}


def original() -> dict[str, float]:
    """The thousand rows of the original with its own API: 10 % failures, 200-500 ms, by cursor."""
    with installation(BATCH_IN_MEMORY_MAX_BYTES="0") as site:
        site.mock_api(FAILURE_RATE="0.1", LATENCY_MIN_MS="200", LATENCY_MAX_MS="500")
        site.batchd()
        source = Path(__file__).parent.parent / "dummy-data" / "users.csv"
        began = time.perf_counter()
        site.drop("users.csv", source)
        while not (found := list(site.output_root.glob("batch-*/manifest.json"))):
            time.sleep(0.01)
        took_s = time.perf_counter() - began
        counts = manifest_of(found[0].parent)["counts"]
        site.finished()
        return {
            "took_s": round(took_s, 1),
            "times_faster": round(ORIGINAL_S / took_s, 1),
            "fallback_share": counts["fallback"] / counts["records"],
        }


class _NoStarter:
    async def start(self, request: BatchRequest, mode: Mode) -> str:
        raise AssertionError(request, mode)

    async def outcome(self, batch_id: str) -> str:
        raise AssertionError(batch_id)


def scan_cost() -> dict[str, float]:
    """Milliseconds of one scan with so many files waiting to settle."""
    return {f"{files:,} files": _scan_ms(files) for files in (10, 1_000, 100_000)}


def _scan_ms(files: int) -> float:
    with installation() as site:
        for number in range(files):
            (site.inbox / f"{number}.csv").touch()
        settings = Settings(inbox=site.inbox, state_dir=site.state_dir, settle_s=3_600)
        return round(asyncio.run(_second_scan(settings)) * 1_000, 1)


async def _second_scan(settings: Settings) -> float:
    shared = SharedWork(settings)
    intake = Intake(settings, _NoStarter(), shared)  # type: ignore[arg-type]
    await intake.scan()
    began = time.perf_counter()
    await intake.scan()
    took_s = time.perf_counter() - began
    await intake.close()
    await shared.close()
    return took_s


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, measure in (
        ("start and stop", start_and_stop),
        ("drop to start, events", lambda: drop_to_start(events=True)),
        ("drop to start, no events", lambda: drop_to_start(events=False, drops=30)),
        ("killed worker", killed_worker),
        ("original", original),
        ("scan", scan_cost),
    ):
        print(name, measure())
