"""A batch is one trace, over all processes: its file, itself, its steps, and some of its calls, which tell the API."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from described_api import Asked, DescribedApi, described_api
from installation import Installation, eventually, free_port, manifest_of, users
from otlp_collector import Arrived, Collector, otlp_collector
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from workflow_histories import histories, holds

from daemon.temporal.payloads import DATA_CONVERTER
from daemon.worker import WORKFLOWS

Make = Callable[..., Installation]

TURNOVER = "limit.historyCount.suggestContinueAsNew=80"
ROWS, PAGE_ROWS, EVERY = 103, 20, 5


@contextmanager
def traced(installation: Make, **settings: str) -> Iterator[tuple[Installation, DescribedApi, Collector]]:
    """Yield an installation of two workers, its API and its collector."""
    with otlp_collector() as collector, described_api(lambda _: (200, b'{"region": "NA"}')) as api:
        defaults = {
            "BATCH_WORKERS": "2",
            "BATCH_IN_MEMORY_MAX_BYTES": "0",
            "BATCH_PAGE_ROWS": str(PAGE_ROWS),
            "BATCH_TRACE_CALLS_EVERY": str(EVERY),
            "BATCH_API_URL": f"{api.url}/enrich",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        yield installation(**{**defaults, **settings}), api, collector


@pytest.mark.parametrize("in_memory_bytes", ["0", "262144"], ids=["cursor", "in-memory"])
def test_a_batch_is_one_trace_over_all_processes(installation: Make, in_memory_bytes: str) -> None:
    with traced(installation, BATCH_IN_MEMORY_MAX_BYTES=in_memory_bytes) as (site, api, collector):
        service = site.batchd()
        site.drop("users.csv", users(ROWS))
        [folder] = site.finished()
        _check_replay(site, folder)
        assert service.stop() == 0
        batch = _checked(collector)
        counts = manifest_of(folder)["counts"]
        assert batch.facts == {
            "batchd.batch": manifest_of(folder)["id"],
            "batchd.file": "users.csv",
            "batchd.outcome": "completed",
            "batchd.rows": counts["records"],
            "batchd.rows.enriched": ROWS,
            "batchd.rows.fallback": 0,
            "batchd.rows.rejected": 0,
        }
        assert {each.facts["batchd.page"] for each in collector.named("page")} == set(range(1, 7))
        by_a_child = set() if in_memory_bytes == "0" else {"load_csv_chunks"}
        steps = {each.name for each in collector.below(batch)} - {"save_chunk", "write_manifest", "file_source"}
        assert steps == {"load_next_csv_page", "page", "conclude_batch"} | by_a_child
        calls = [call for page in collector.named("page") for call in collector.below(page)]
        assert len(calls) == sum(-(-rows // EVERY) for rows in (*[PAGE_ROWS] * 5, 3))
        assert {each.facts["http.response.status_code"] for each in calls} == {200}
        assert sorted(_carried(api.asked)) == sorted(f"00-{each.trace}-{each.id}-01" for each in calls)
        assert {each.service for each in collector.spans} == {"batchd"}
        assert service.logged("traces.unavailable") == []


def test_a_killed_worker_costs_a_span_and_doubles_none(installation: Make) -> None:
    with traced(installation, BATCH_API_CONCURRENCY="2") as (site, api, collector):
        service = site.batchd()
        site.drop("users.csv", users(ROWS * 20))
        eventually(lambda: len(api.asked) > 100, "calls are being made")
        [worker, *_] = [pid for pid, line in site.children(service.pid) if b"--process-of" in line]
        os.kill(worker, signal.SIGKILL)
        site.finished()
        assert service.stop() == 0
        _checked(collector)
        ids = [each.id for each in collector.spans]
        assert len(ids) == len(set(ids))


def test_a_run_that_continues_as_new_goes_on_with_the_trace(installation: Make) -> None:
    with traced(installation) as (site, _, collector):
        site.temporal(TURNOVER)
        service = site.batchd()
        site.drop("users.csv", users(ROWS * 10))
        [folder] = site.finished()
        assert service.stop() == 0
        assert len(manifest_of(folder)["run_ids"]) > 1
        batch = _checked(collector)
        pages = {each.facts["batchd.page"] for each in collector.below(batch) if each.name == "page"}
        assert pages == {each["page"] for each in manifest_of(folder)["chunks"]}


def test_a_collector_that_never_answers_holds_up_neither_batch_nor_stop(installation: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, traced(installation) as (site, _, _):
        service = site.batchd(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{mute.getsockname()[1]}")
        site.drop("users.csv", users(ROWS))
        site.finished()
        assert service.stop() == 0
        assert service.logged("child.killed") == []


def test_two_batches_are_two_traces_and_a_failed_one_says_so(installation: Make) -> None:
    with traced(installation) as (site, _, collector):
        service = site.batchd()
        site.drop("users.csv", users(3))
        site.drop("bad.csv", "id,name\n1\n")
        site.finished()
        eventually(lambda: service.logged("batch.failed"), "the other one fails")
        assert service.stop() == 0
        batches = {str(each.facts["batchd.file"]): each for each in collector.named("batch")}
        assert len({each.trace for each in batches.values()}) == 2
        assert (batches["bad.csv"].is_error, batches["users.csv"].is_error) == (True, False)
        assert batches["bad.csv"].facts["batchd.outcome"] == "failed"


@pytest.mark.parametrize(
    "settings",
    [
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
    ids=" ".join,
)
def test_what_is_switched_off_or_not_sampled_sends_nothing(installation: Make, settings: dict[str, str]) -> None:
    with traced(installation, **settings) as (site, api, collector):
        service = site.batchd()
        site.drop("users.csv", users(ROWS))
        site.finished()
        assert service.stop() == 0
        assert collector.requests == 0
        assert _carried(api.asked) == []
        assert [each for each in service.events() if each["event"].startswith("traces.")] == []


def test_a_collector_that_is_away_is_told_once_and_holds_nothing_up(installation: Make) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with traced(installation, OTEL_EXPORTER_OTLP_ENDPOINT=away, OTEL_EXPORTER_OTLP_TIMEOUT="1") as (site, _, _):
        service = site.batchd()
        for number in range(3):
            site.drop(f"users-{number}.csv", users(ROWS + number))
        site.finished(3)
        eventually(lambda: service.logged("traces.unavailable"), "it is told")
        assert service.stop() == 0
        assert len(service.logged("traces.unavailable")) <= 3, "once by each process"
        assert [each for each in service.events() if each["event"] == "library.said"] == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"PYTHONPATH": "without"}, "the extra is not installed"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
    ],
    ids=["without the extra", "with another protocol"],
)
def test_traces_that_cannot_be_had_are_told_and_the_batch_goes_on(
    installation: Make, settings: dict[str, str], why: str
) -> None:
    with traced(installation, **settings) as (site, api, collector):
        (site.root / "without").mkdir()
        plugin = "import sys; sys.modules['opentelemetry.sdk'] = None; sys.modules['opentelemetry'] = None\n"
        (site.root / "without" / "sitecustomize.py").write_text(plugin)
        if "PYTHONPATH" in settings:
            site.set(PYTHONPATH=str(site.root / "without"))
        service = site.batchd()
        site.drop("users.csv", users(ROWS))
        site.finished()
        assert service.stop() == 0
        assert {why in each["why"] for each in service.logged("traces.not_opened")} == {True}
        assert (collector.requests, _carried(api.asked)) == (0, [])


def _checked(collector: Collector) -> Arrived:
    """Check what holds of every trace of one batch, and return the span of the batch."""
    [file] = collector.named("file")
    [batch] = collector.named("batch")
    assert {each.trace for each in collector.spans} == {file.trace}
    assert (file.parent, batch.parent, file.process) == ("", file.id, "daemon")
    before = sorted(each for each in collector.below(file) if each.name != "batch")
    by_time = sorted(before, key=lambda each: each.begin_ns)
    assert [each.name for each in by_time] == ["settle", "claim", "start"]
    assert all(first.end_ns == then.begin_ns for first, then in itertools.pairwise(by_time))
    assert (by_time[0].begin_ns, by_time[-1].end_ns) == (file.begin_ns, file.end_ns)
    known = {each.id for each in collector.spans}
    assert [each for each in collector.spans if each.parent and each.parent not in known and each.name != "call"] == []
    for page in collector.named("page"):
        assert page.parent == batch.id
        assert page.process in {"1", "2"}
        assert all(each.name == "call" for each in collector.below(page))
    return batch


def _carried(asked: list[Asked]) -> list[str]:
    return [each.headers["traceparent"] for each in asked if "traceparent" in each.headers]


def _check_replay(site: Installation, folder: Path) -> None:
    """Check that a history with a trace in its headers replays where nobody traces, as without it."""
    manifest = manifest_of(folder)
    address = f"127.0.0.1:{site.env['BATCH_SERVER_PORT']}"
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner(), data_converter=DATA_CONVERTER)

    async def replay() -> None:
        for history in await histories(address, manifest["workflow_id"], manifest["run_ids"]):
            assert holds(history, "traceparent")
            await replayer.replay_workflow(history)

    asyncio.run(replay())
