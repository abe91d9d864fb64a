"""`batchd watch` and `batchd work` with several processes load a file anew, each for itself, in mid-batch."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from installation import Installation, Process, api, eventually, manifest_of, users

Make = Callable[..., Installation]


def workers(site: Installation, service: Process) -> list[int]:
    return [pid for pid, line in site.children(service.pid) if b"--process-of" in line]


def reloaded(*services: Process) -> None:
    """Ask the services to load the file anew, and return once all have."""
    before = [len(each.logged("reload.done")) for each in services]
    for each in services:
        each.send(signal.SIGHUP)
    for each, count in zip(services, before, strict=True):
        eventually(lambda each=each, count=count: len(each.logged("reload.done")) > count, "the file is loaded anew")


def test_limits_of_a_reload_hold_over_all_processes_in_mid_batch_and_in_one_that_is_started_again(
    installation: Make,
) -> None:
    site = installation(BATCH_WORKERS="3")
    site.temporal()
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")

    def describe(concurrency: int) -> None:
        section = f'[api.geo]\nurl = "{base}/enrich"\nconcurrency = {concurrency}\n'
        site.describe(section, page_rows=50, in_memory_max_bytes=0)

    describe(8)
    watch, work = site.batchd("watch", name="watch"), site.batchd("work", name="work")
    assert len(workers(site, work)) == 3
    site.drop("users.csv", users(3_000))
    eventually(lambda: api(base, "/calls")["most_in_flight"] == 8, "all that may be is in flight")

    describe(2)
    reloaded(watch, work)
    [killed, *_] = workers(site, work)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len({*workers(site, work)} - {killed}) == 3, "another is started in its place")
    eventually(lambda: api(base, "/calls")["in_flight"] <= 2, "calls from before have ended")
    api(base, "/calls", method="DELETE")
    eventually(lambda: api(base, "/calls")["total"] > 200, "calls go on")
    assert api(base, "/calls")["most_in_flight"] == 2

    describe(16)
    reloaded(watch, work)
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == 3_000
    assert api(base, "/calls")["most_in_flight"] <= 16
