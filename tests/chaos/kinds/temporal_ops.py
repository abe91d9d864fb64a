"""What somebody does to a batch in Temporal itself, over the head of batchd: terminate, cancel, reset."""

from __future__ import annotations

from installation import temporal_cli

from chaos.site import Site

DONE = {
    "terminate": ("workflow", "terminate", "--reason", "chaos"),
    "cancel": ("workflow", "cancel"),
    "reset": ("workflow", "reset", "--type", "FirstWorkflowTask", "--reason", "chaos"),
}


def temporal_ops(site: Site) -> None:
    """Do something to the run of a batch in its midst. A line is `what after seconds`."""
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        what, _, seconds = fault.line.split()
        name = site.in_mid_batch(fault)
        site.wait(float(seconds))
        claimed = next(iter(site.installation.inbox.glob(f".processing/*/{name}")), None)
        if claimed is None:
            continue
        asked = ("--workflow-id", f"batch-{claimed.parent.name}", "--address", site.temporal)
        if temporal_cli(*DONE[what], *asked).returncode == 0:
            site.strike(fault)
        site.until(lambda n=name: n in site.drops.ended(), f"{name} has ended behind {fault.line}")
