"""Limits of the system that a worker meets in mid-batch: no file may grow, no further file may be opened.

Or its parent, as the worker is killed: no process can be started for a while.
"""

from __future__ import annotations

import os
import resource

from chaos.kinds.random_kills import kill, workers_of
from chaos.site import IN_FLIGHT, VARIANTS, Site

LIMITS = {"fsize": resource.RLIMIT_FSIZE, "nofile": resource.RLIMIT_NOFILE}


def limits(site: Site) -> None:
    """Set a limit of the worker for a while. A line is `fsize bytes seconds` or `nofile more seconds`."""
    site.start("daemon")
    worker = site.start("worker")
    for fault in site.segment.faults:
        which, number, seconds = fault.line.split()
        site.in_mid_batch(fault)
        limit = LIMITS[which]
        open_now = len(os.listdir(f"/proc/{worker.pid}/fd"))  # noqa: PTH208 - a pseudo folder
        before = resource.prlimit(worker.pid, limit)
        site.strike(fault, may_repeat=2 * IN_FLIGHT)
        resource.prlimit(worker.pid, limit, (int(number) + (open_now if which == "nofile" else 0), before[1]))
        site.wait(float(seconds))
        resource.prlimit(worker.pid, limit, before)
    site.until(site.drops.at_rest, "all has ended without limits")


def failing_starts(site: Site) -> None:
    """Kill the workers of a service that can start none for a while. A line is `no-start seconds`.

    Without a descriptor to spare there is no pipe to a child: an error as of a fork that fails.
    """
    service = site.start("service")
    for fault in site.segment.faults:
        site.in_mid_batch(fault)
        begun = len(service.logged("child.not_started"))
        before = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        open_now = len(os.listdir(f"/proc/{service.pid}/fd"))  # noqa: PTH208 - a pseudo folder
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (open_now, before[1]))
        site.strike(fault)
        for pid in workers_of(site, service):
            kill(pid)
        site.until(lambda n=begun: len(service.logged("child.not_started")) > n, "a start has failed")
        site.wait(float(fault.line.split()[1]))
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, before)
        site.until(
            lambda: len(workers_of(site, service)) == int(VARIANTS["service"]["BATCH_WORKERS"]), "the workers are back"
        )
    site.until(site.drops.at_rest, "all has ended with workers that came back")
