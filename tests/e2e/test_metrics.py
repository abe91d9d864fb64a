"""`/metrics`: the whole service on one address, whatever becomes of its processes."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Callable

import pytest
from installation import Installation, Process, api, eventually, free_port, manifest_of, users
from metrics_reader import scraped
from probes import probed

from daemon.metrics.names import METRICS

Make = Callable[..., Installation]

SETTINGS = {
    "BATCH_WORKERS": "2",
    "BATCH_IN_MEMORY_MAX_BYTES": "0",
    "BATCH_PAGE_ROWS": "20",
    "BATCH_HEARTBEAT_TIMEOUT_S": "1",
}


def workers(site: Installation, service: Process) -> list[int]:
    return [pid for pid, line in site.children(service.pid) if b"--process-of" in line]


def of(found: dict[str, float], name: str) -> float:
    """Return the sum over all labels of a metric."""
    return sum(value for key, value in found.items() if key.startswith(f"{name}{{"))


def counters(found: dict[str, float]) -> dict[str, float]:
    return {
        key: value for key, value in found.items() if key.partition("{")[0].endswith(("_total", "_count", "_bucket"))
    }


def test_the_service_counts_what_all_its_processes_do_and_a_killed_one_takes_nothing_away(installation: Make) -> None:
    port = free_port()
    site = installation(**SETTINGS, BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}", BATCH_API_CONCURRENCY="8")
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")
    service = site.batchd()
    first = scraped(port)
    assert first["batchd_rows_total{feed=default,outcome=enriched}"] == 0
    assert of(first, "batchd_build_info") == 1

    site.drop("users.csv", users(1_000))
    eventually(lambda: of(scraped(port), "batchd_rows_total") >= 200, "rows are counted while the batch runs")
    assert 1 <= scraped(port)["batchd_api_limit{api=default}"] <= 8
    os.kill(workers(site, service)[0], signal.SIGKILL)
    before = counters(scraped(port))
    eventually(lambda: len(workers(site, service)) == 2, "two workers again")
    after = counters(scraped(port))
    assert all(after[key] >= value for key, value in before.items()), "a counter never goes back"

    [folder] = site.finished()
    counts = manifest_of(folder)["counts"]
    eventually(lambda: scraped(port)["batchd_batches_total{feed=default,status=completed}"] == 1, "the end is counted")
    end = scraped(port)
    rows = of(before, "batchd_rows_total"), of(end, "batchd_rows_total"), counts["records"]
    assert list(rows) == sorted(rows), "what a killed process had counted last may be lost, nothing is counted twice"
    assert of(end, "batchd_api_calls_total") <= api(base, "/calls")["total"]
    assert end["batchd_start_delay_seconds_count{}"] == 1
    completed = [name for name in end if name.startswith("temporal_workflow_completed_total{")]
    assert completed, "the numbers of Temporal's SDK stand beside those of batchd"
    assert of(end, "temporal_worker_task_slots_available") > 0
    assert end["batchd_receipts{}"] == 1
    assert end["batchd_scan_age_seconds{feed=default}"] < 60
    assert end["batchd_api_outage{api=default}"] == 0
    assert end["batchd_api_limit{api=default}"] <= 8


def test_every_row_call_and_batch_is_counted_once_and_a_retry_counts_what_it_tried_again(installation: Make) -> None:
    port = free_port()
    site = installation(**SETTINGS, BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}", BATCH_API_ATTEMPTS="1")
    base = site.mock_api(LATENCY_MIN_MS="1", LATENCY_MAX_MS="2")
    site.batchd()
    api(base, "/faults", {"kind": "status", "status": 422, "calls": 7})
    site.drop("users.csv", users(300) + "ragged\n")
    [folder] = site.finished()
    counts = manifest_of(folder)["counts"]
    rows = "batchd_rows_total{feed=default,outcome=%s}"
    wanted = {rows % name: counts[name] for name in ("enriched", "fallback", "rejected")}
    assert counts["fallback"] == 7
    eventually(lambda: wanted.items() <= scraped(port).items(), "all rows are counted")
    assert of(scraped(port), "batchd_api_calls_total") == api(base, "/calls")["total"]
    assert scraped(port)["batchd_api_calls_total{api=default,status=422}"] == 7
    assert scraped(port)["batchd_api_latency_seconds_count{}"] == api(base, "/calls")["total"]

    assert site.batchctl("retry-failed", "users.csv").returncode == 0
    again = {**wanted, rows % "enriched": counts["enriched"] + 7}
    eventually(lambda: again.items() <= scraped(port).items(), "the rows that were tried again are counted")
    assert scraped(port)["batchd_batches_total{feed=default,status=completed}"] == 1
    names = {key.partition("{")[0] for key in scraped(port)}
    assert {name for name in METRICS if METRICS[name].kind != "histogram"} <= names


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_half_of_a_service_says_how_it_is(installation: Make, workers: str) -> None:
    watching, working = free_port(), free_port()
    site = installation(BATCH_WORKERS=workers)
    site.temporal()
    site.mock_api(LATENCY_MIN_MS="1", LATENCY_MAX_MS="2")
    site.batchd("watch", name="watch", BATCH_HEALTH_ADDRESS=f"127.0.0.1:{watching}")
    site.batchd("work", name="work", BATCH_HEALTH_ADDRESS=f"127.0.0.1:{working}")
    assert [probed(port, "/readyz") for port in (watching, working)] == [200, 200]
    site.drop("users.csv", users(50))
    site.finished()
    eventually(lambda: of(scraped(working), "batchd_rows_total") == 50, "the workers count rows")
    here = scraped(watching)
    assert (here["batchd_start_delay_seconds_count{}"], here["batchd_receipts{}"]) == (1, 1)
    assert of(here, "batchd_rows_total") == 0
    assert "batchd_scan_age_seconds{feed=default}" in here
    assert "batchd_scan_age_seconds{feed=default}" not in scraped(working)


def test_probes_and_prometheus_find_what_they_ask_for_at_one_address(installation: Make) -> None:
    port = free_port()
    site = installation(BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}")
    site.batchd()
    paths = ("/livez", "/healthz", "/readyz", "/metrics", "/metrics?x=1")
    assert [probed(port, path) for path in paths] == [200] * len(paths)
    assert probed(port, "/") == 404
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
