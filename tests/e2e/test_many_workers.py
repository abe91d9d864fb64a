"""Several worker processes under one parent: started, limited, started again and stopped as one service."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Callable

import pytest
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


@pytest.mark.parametrize("limit", [7, 3, 2])
def test_the_limit_on_calls_is_for_the_service_also_where_it_is_less_than_its_processes(
    installation: Make, limit: int
) -> None:
    site = installation(**{**SETTINGS, "BATCH_WORKERS": "3", "BATCH_API_CONCURRENCY": str(limit)})
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")
    service = site.batchd()
    running = min(3, limit)  # more processes than calls there may be at once are of no use
    assert len(workers(site, service)) == running
    for name in "abc":
        site.drop(f"{name}.csv", users(150, of=name))

    for folder in site.finished(3):
        assert [row["_row"] for row in rows_of(folder)] == list(range(1, 151))
    assert api(base, "/calls")["most_in_flight"] == limit
    assert service.stop() == 0
    assert site.children(service.pid) == []


def test_a_batch_that_is_in_one_process_has_the_whole_limit(installation: Make) -> None:
    site = installation(**{**SETTINGS, "BATCH_WORKERS": "3", "BATCH_PAGE_ROWS": "1000"})
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    site.batchd()
    site.drop("users.csv", users(300))

    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == 300
    assert api(base, "/calls")["most_in_flight"] == 7


def test_a_rate_is_for_the_service(installation: Make) -> None:
    rate = 100
    site = installation(**{**SETTINGS, "BATCH_WORKERS": "3", "BATCH_API_RATE": str(rate)})
    base = site.mock_api()
    site.batchd()
    site.drop("one.csv", users(300))
    eventually(lambda: api(base, "/calls")["total"] > 20, "calls are made")
    api(base, "/calls", method="DELETE")
    began = time.monotonic()
    eventually(lambda: api(base, "/calls")["total"] > 2 * rate, "calls go on")
    calls, took_s = api(base, "/calls")["total"], time.monotonic() - began
    assert calls <= rate * (took_s + 0.1) + 3, "the rate holds"
    site.finished()


def test_processes_ask_one_at_a_time_whether_an_api_is_back(installation: Make) -> None:
    site = installation(**{**SETTINGS, "BATCH_WORKERS": "3", "BATCH_API_TIMEOUT_S": "1"})
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")
    service = site.batchd()
    for name in "abcdef":
        site.drop(f"{name}.csv", users(200, of=name))
    eventually(lambda: api(base, "/calls")["total"] > 50, "calls are made")
    api(base, "/faults", {"kind": "hang", "share": 1.0})
    down = eventually(lambda: service.logged("api.down"), "it is known that the API is down")
    eventually(lambda: api(base, "/calls")["in_flight"] == 0, "calls from before are over")
    api(base, "/calls", method="DELETE")
    eventually(lambda: api(base, "/calls")["total"] >= 3, "it is asked again and again", 120)
    assert api(base, "/calls")["most_in_flight"] == 1

    os.kill(workers(site, service)[0], signal.SIGKILL)
    api(base, "/faults", method="DELETE")
    assert [manifest_of(each)["counts"]["enriched"] for each in site.finished(6)] == [200] * 6
    assert len(down) == 1, "who hears of it from another says nothing"


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
