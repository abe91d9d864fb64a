"""What many feeds cost: the time to be ready and the processor while nothing happens, with one feed and with 200.

Run: PYTHONPATH=tests/support python benchmarks/feeds.py
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from installation import Installation, Process
from place import installation

FEEDS = 200
QUIET_S = 20.0
TICKS = os.sysconf("SC_CLK_TCK")


def many_feeds() -> dict[str, float]:
    """Seconds to be ready, and per cent of a core while idle, with one feed and with 200."""
    ready_1, idle_1 = _measured(1)
    ready_many, idle_many = _measured(FEEDS)
    return {
        "ready, 1 feed (s)": ready_1,
        f"ready, {FEEDS} feeds (s)": ready_many,
        "later (s)": round(ready_many - ready_1, 2),
        "idle, 1 feed (% of a core)": idle_1,
        f"idle, {FEEDS} feeds (% of a core)": idle_many,
        "more (% of a core)": round(idle_many - idle_1, 2),
    }


def _measured(feeds: int) -> tuple[float, float]:
    with installation(BATCH_WORKERS="1") as site:
        described = {f"feed-{number}": {"inbox": str(site.root / f"feed-{number}")} for number in range(feeds)}
        site.describe_feeds('[api.people]\nurl = "http://127.0.0.1:9/"', described)
        began_s = time.monotonic()
        service = site.batchd()
        ready_s = time.monotonic() - began_s
        time.sleep(5)  # what a start leaves to do
        before_s = _cpu_s(site, service)
        time.sleep(QUIET_S)
        return round(ready_s, 2), round((_cpu_s(site, service) - before_s) / QUIET_S * 100, 2)


def _cpu_s(site: Installation, service: Process) -> float:
    """Return the processor time of the service and its workers; the Temporal server is as idle with any of them."""
    pids = [service.pid, *(pid for pid, line in site.children(service.pid) if b"--process-of" in line)]
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in stats) / TICKS


if __name__ == "__main__":
    for name, figure in many_feeds().items():
        print(f"{name:40} {figure}")
