"""A configuration that is loaded anew in mid-batch: another one, a broken one, one that is gone."""

from __future__ import annotations

import signal

from chaos.site import Site

CHANGES = ("page_rows=3", "page_rows=20", "pages_in_flight=1", "broken", "gone", "other_limit")


def reloads(site: Site) -> None:
    """Change `batchd.toml` and tell daemon and worker. A line is `reload` and what changes."""
    _write(site)
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        site.in_mid_batch(fault)
        change = fault.line.split()[1]
        if change == "gone":
            (site.installation.root / "batchd.toml").unlink(missing_ok=True)
        else:
            _write(site, change)
        site.strike(fault, may_repeat=0)
        for role in ("daemon", "worker"):
            site.processes[role].send(signal.SIGHUP)
    _write(site)
    site.until(site.drops.at_rest, "all has ended over the reloads")


def _write(site: Site, change: str = "") -> None:
    name, _, value = change.partition("=")
    concurrency = 2 if change == "other_limit" else 4
    section = f'[api.mock]\nurl = "{site.api}/enrich"\nconcurrency = {concurrency}\n'
    site.describe(section, **({name: int(value)} if value else {}))
    if change == "broken":
        with (site.installation.root / "batchd.toml").open("a") as file:
            file.write("[feed.contacts\n")
