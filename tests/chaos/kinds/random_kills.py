"""Kills of anything of a whole service, its parent and its Temporal server too, at moments that the seed chooses."""

from __future__ import annotations

import contextlib
import os
import signal

from installation import Process

from chaos.site import IN_FLIGHT, Site

VICTIMS = ("worker", "worker", "worker", "server", "parent", "everything")
WORKER = b"--process-of"


def random_kills(site: Site) -> None:
    """Kill a part of `batchd run` and go on without a word. A line is `victim after seconds`."""
    for fault in site.segment.faults:
        victim, _, seconds = fault.line.split()
        service = _running(site)
        site.in_mid_batch(fault)
        site.wait(float(seconds))
        _kill_part(site, service, victim)
        site.strike(fault, may_repeat=IN_FLIGHT)


def namespace_wipes(site: Site) -> None:
    """Kill a service and take its Temporal server's memory from it. A line is `wipe after seconds`."""
    for fault in site.segment.faults:
        service = _running(site)
        site.in_mid_batch(fault)
        site.wait(float(fault.line.split()[2]))
        _kill_part(site, service, "everything")
        site.strike(fault)
        for each in site.installation.state_dir.glob("temporal.db*"):
            each.unlink()


def _running(site: Site) -> Process:
    service = site.processes.get("service")
    return service if service and service.running() else site.start("service")


def _kill_part(site: Site, service: Process, victim: str) -> None:
    """Kill the victim, as soon as there is one: the fault before may have ended it."""
    if victim == "everything":
        children = [pid for pid, _ in site.installation.children(service.pid)]
        service.kill()
        for pid in filter(None, [*children, site.installation.server_pid()]):
            kill(pid)
    elif victim == "parent":
        service.kill()
    else:

        def parts() -> list[int]:
            if victim == "server":  # one that was adopted is nobody's child
                return list(filter(None, [site.installation.server_pid()]))
            return workers_of(site, service)

        site.until(parts, f"the service has a {victim}")
        kill(site.chance.choice(parts()))


def workers_of(site: Site, service: Process) -> list[int]:
    """Return the worker processes of a service."""
    return [pid for pid, line in site.installation.children(service.pid) if WORKER in line]


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
