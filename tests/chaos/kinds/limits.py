"""Limits of the system that a worker meets in mid-batch: no file may grow, no further file may be opened."""

from __future__ import annotations

import os
import resource

from chaos.site import IN_FLIGHT, Site

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
