"""Faults between two parts: a proxy that cuts, stalls, half-closes or swallows what comes back."""

from __future__ import annotations

from chaos.site import IN_FLIGHT, Site

FAULTS = ("cut", "stall", "half_close", "swallow_replies")
MOST_REPEATS = {"temporal": IN_FLIGHT, "api": 4 * IN_FLIGHT}
"""A call that got no answer is made again: those in flight, and those that run into the fault while it lasts."""


def network_faults(site: Site) -> None:
    """Do something to a connection in mid-batch for a while. A line is `temporal|api fault seconds`."""
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        between, what, seconds = fault.line.split()
        site.in_mid_batch(fault)
        site.strike(fault, may_repeat=MOST_REPEATS[between])
        getattr(site.proxies[between], what)()
        site.wait(float(seconds))
        site.proxies[between].mend()
    site.until(site.drops.at_rest, "all has ended over a network that is whole again")
