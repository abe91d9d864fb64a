"""Several worker processes under one parent: started, limited, started again and stopped as one service."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Callable

from installation import Installation, Process, api, eventually, free_port, manifest_of, rows_of, users

Make = Callable[..., Installation]

SETTINGS = {
    "BATCH_WORKERS": "2",
    "BATCH_IN_MEMORY_MAX_BYTES": "0",
    "BATCH_PAGE_ROWS": "20",
    "BATCH_API_CONCURRENCY": "7",
}


def workers(site: Installation, service: Process) -> list[int]:
    return [pid for pid, line in site.children(service.pid) if b"--process-of" in line]


def test_the_limit_on_calls_is_for_the_service_and_not_for_each_process(installation: Make) -> None:
    site = installation(**SETTINGS)
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    service = site.batchd()
    assert len(workers(site, service)) == 2
    site.drop("users.csv", users(600))

    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 601))
    assert 4 <= api(base, "/calls")["most_in_flight"] <= 7
    assert service.stop() == 0
    assert site.children(service.pid) == []


def most_in_flight_of_40_calls(base: str) -> int:
    api(base, "/calls", method="DELETE")
    eventually(lambda: api(base, "/calls")["total"] > 40, "calls go on")
    return int(api(base, "/calls")["most_in_flight"])


def test_a_limit_on_one_batch_holds_over_all_processes(installation: Make) -> None:
    site = installation(**SETTINGS)
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    site.batchd()
    site.drop("users.csv", users(5_000))
    eventually(lambda: api(base, "/calls")["total"] > 50, "calls are made")

    assert site.batchctl("set", "users.csv", "concurrency=1", "--reason", "month end").returncode == 0
    eventually(lambda: most_in_flight_of_40_calls(base) == 1, "the limit holds")
    assert site.batchctl("cancel", "users.csv").returncode == 0
    [folder] = site.finished()
    [change] = manifest_of(folder)["limits"]
    assert change["reason"] == "month end"


def test_a_killed_process_is_started_again_and_the_batch_goes_on(installation: Make) -> None:
    site = installation(**SETTINGS, BATCH_HEARTBEAT_TIMEOUT_S="1")
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    service = site.batchd()
    first = workers(site, service)
    site.drop("users.csv", users(600))
    eventually(lambda: api(base, "/calls")["total"] > 100, "calls are made")
    os.kill(first[0], signal.SIGKILL)

    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 601))
    again = eventually(lambda: now if len(now := workers(site, service)) == 2 else None, "two workers again")
    assert first[1] in again
    assert first[0] not in again
    assert sum(times - 1 for times in api(base, "/calls")["repeated"].values()) <= 7


def test_each_process_serves_its_own_metrics(installation: Make) -> None:
    port = free_port()
    site = installation(**SETTINGS, BATCH_METRICS_ADDRESS=f"127.0.0.1:{port}")
    site.mock_api()
    site.batchd()
    for each in (port, port + 1):
        with urllib.request.urlopen(f"http://127.0.0.1:{each}/metrics", timeout=5) as answer:
            assert b"temporal_" in answer.read()
