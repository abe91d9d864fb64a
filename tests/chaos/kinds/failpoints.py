"""Faults at failpoints: a process is killed or stopped there, a system call fails there, a write is cut short there.

A worker or a daemon is started with the next trap and takes part in the work until that acts. So a kill costs one start
of a process, and what it leaves behind is the work of the next one, which dies in its turn.
"""

from __future__ import annotations

import contextlib
import signal
import time

from installation import Process

from chaos.fault import Fault
from chaos.site import IN_FLIGHT, Overdue, Site

ACT_S = 25.0
"""How long a trap may take to act, with files coming in; one that is not passed by then counts as not injected."""

STOPPED_S = 3.0
"""How long a process stays stopped: three heartbeat timeouts."""

OTHER = {"worker": "daemon", "daemon": "worker"}


def kills(site: Site) -> None:
    """Kill a process at one failpoint after the other. A line is `role place:n:kill`."""
    for fault in site.segment.faults:
        role, traps = _ready_for(site, fault)
        process = site.start(role, traps)
        if _until_acted(site, fault, 1):
            with contextlib.suppress(Exception):
                process.wait(10)
            process.kill_group()
            site.processes.pop(role)
        _strike_noted(site, [fault], role)


def kills_beside_another(site: Site) -> None:
    """Kill a worker at a failpoint beside one that goes on with its work. A line is `worker place:n:kill`."""
    standby = _started(site, "daemon", "worker")
    for fault in site.segment.faults:
        role, traps = fault.line.split()
        site.end(role, cleanly=True)
        process = site.start(role, traps)
        _bait(site, fault)
        if _until_acted(site, fault, 1):
            process.kill_group()
        _strike_noted(site, [fault], role)
        site.until(site.drops.at_rest, f"another worker has ended all behind {fault.line}")
    site.end("worker")
    site.processes["worker"] = standby


def stops(site: Site) -> None:
    """Stop a process at a failpoint, let another one take its work, and continue it. A line is `role place:n:stop`."""
    for fault in site.segment.faults:
        role, traps = _ready_for(site, fault)
        zombie = site.start(role, traps)
        if _until_acted(site, fault, 1):
            _strike_noted(site, [fault], role)
            if role == "worker":
                site.start("worker")
            site.wait(STOPPED_S)
            zombie.send(signal.SIGCONT)
            site.until(site.drops.at_rest, f"all has ended beside the zombie of {fault.line}")
        if site.processes[role] is not zombie:
            zombie.kill_group()


def failing_calls(site: Site) -> None:
    """Let one system call after the other fail once. A line is `role place:n:error:EIO`.

    The first has a process of its own, which shows how long that takes; the others share one.
    """
    first, others = site.segment.faults[:1], site.segment.faults[1:]
    for faults in filter(None, (first, others)):
        role = faults[0].line.split()[0]
        _other_side(site, role)
        site.end(role, cleanly=True)
        _bait(site, faults[0])
        site.start(role, ",".join(each.line.split()[1] for each in faults))
        _until_acted(site, faults[0], len(faults))
        _strike_noted(site, list(faults), role)
        site.until(site.drops.at_rest, "all has ended behind failing calls")


def _started(site: Site, *roles: str) -> Process:
    """Start what goes on beside the faults; return the last of it, which is not ended with the others."""
    for role in roles:
        site.start(role)
    return site.processes.pop(roles[-1])


def _ready_for(site: Site, fault: Fault) -> tuple[str, str]:
    """See that the other side runs and that there is work; return the role of the fault and its trap."""
    role, traps = fault.line.split()
    _other_side(site, role)
    site.end(role, cleanly=True)
    _bait(site, fault)
    return role, traps


def _other_side(site: Site, role: str) -> None:
    other = OTHER[role]
    if other not in site.processes or not site.processes[other].running():
        site.start(other)


def _bait(site: Site, fault: Fault) -> None:
    """Drop what passes the failpoint: a file, and for some of the daemon's a duplicate or a file that is refused."""
    site.feed(fault)
    if fault.line.startswith("daemon"):
        site.drops.duplicate()
        if "refus" in fault.line or "reason" in fault.line or fault.number % 4 == 0:
            site.drops.no_csv(f"refused-{fault.number}-{len(site.drops.refused)}.csv")


def _until_acted(site: Site, fault: Fault, count: int) -> bool:
    """Keep files coming until `count` traps have acted; False where they have not within `ACT_S`."""
    end = time.monotonic() + ACT_S
    while len(site.noted()) < count and time.monotonic() < end:
        if site.drops.at_rest():
            _bait(site, fault)
        with contextlib.suppress(Overdue):
            site.until(lambda: len(site.noted()) >= count or site.drops.at_rest(), "a trap acts", 2.0)
    return len(site.noted()) >= count


def _strike_noted(site: Site, faults: list[Fault], role: str) -> None:
    by_trap = {each.line.split()[1]: each for each in faults}
    for at, trap in site.noted():
        if trap in by_trap:
            site.strike(by_trap[trap], at, may_repeat=IN_FLIGHT if role == "worker" else 0)
    site.forget_noted()
