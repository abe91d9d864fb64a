"""Faults between two parts: a proxy that cuts, stalls, half-closes or swallows what comes back."""

from __future__ import annotations

from chaos.site import IN_FLIGHT, Site

FAULTS = ("cut", "stall", "half_close", "swallow_replies")
ATTEMPTS = 3


def network_faults(site: Site) -> None:
    """Do something to a connection in mid-batch for a while. A line is `temporal|api fault seconds`."""
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        between, what, seconds = fault.line.split()
        name = site.in_mid_batch(fault)
        rows = site.drops.files[name].rows
        # A call that got no answer is tried again, as often as the settings say: that is no repeat for a kill.
        site.strike(fault, may_repeat=IN_FLIGHT if between == "temporal" else (ATTEMPTS - 1) * rows)
        getattr(site.proxies[between], what)()
        site.wait(float(seconds))
        site.proxies[between].mend()
    site.until(site.drops.at_rest, "all has ended over a network that is whole again")
