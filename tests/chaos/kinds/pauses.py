"""Pauses in mid-batch: with a kill while it is kept on disk, while it lasts, and with damage to what was finished."""

from __future__ import annotations

import shutil
from pathlib import Path

from installation import BIN, Process

from chaos.fault import Fault
from chaos.site import IN_FLIGHT, Site

PAGE_ROWS = 8
BATCHCTL = str(BIN / "batchctl")
DAMAGES = ("emptied", "flipped", "deleted", "torn", "swapped", "folder")


def pauses(site: Site) -> None:
    """Pause a batch and resume it. A line is `pause` and a trap of the worker, who is killed, or `nothing`."""
    site.start("daemon")
    for fault in site.segment.faults:
        what = fault.line.split()[1]
        site.end("worker", cleanly=True)
        worker = site.start("worker", what if ":" in what else "")
        name, pausing = _pausing(site, fault)
        if ":" in what:
            site.until(lambda n=name: site.noted() or n in site.drops.ended(), "the trap has acted")
            for at, _ in site.noted():
                site.strike(fault, at)
            site.forget_noted()
            if not worker.running() or what.endswith("kill"):
                site.end("worker")
                site.start("worker")
        site.until(lambda p=pausing: not p.running(), "batchctl pause has returned")
        if what in {"worker", "daemon"}:
            site.strike(fault, may_repeat=IN_FLIGHT if what == "worker" else 0)
            site.end(what)
            site.start(what)
        elif what == "nothing":
            site.strike(fault, may_repeat=0)
        _resume(site, name)


def damages(site: Site) -> None:
    """Damage what a paused batch has finished. A line is `damaged` and how."""
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        site.until(site.drops.at_rest, "the batch before has ended")
        name, pausing = _pausing(site, fault)
        site.until(lambda p=pausing: not p.running(), "batchctl pause has returned")
        chunks = sorted(_folder(site, name).glob("chunk-*.json"))
        if pausing.wait() == 0 and name not in site.drops.ended() and len(chunks) > 1:
            _damage(site, fault, chunks)
        _resume(site, name)


def _pausing(site: Site, fault: Fault) -> tuple[str, Process]:
    """Ask for a pause of a batch in its midst; return its file and the program that asks."""
    name = site.in_mid_batch(fault)
    return name, site.installation.start("pause", [BATCHCTL, "pause", name])


def _folder(site: Site, name: str) -> Path:
    [claimed] = site.installation.inbox.glob(f"*/*/{name}")
    return site.installation.output_root / f"batch-{claimed.parent.name}"


def _damage(site: Site, fault: Fault, chunks: list[Path]) -> None:
    how, chunk = fault.line.split()[1], site.chance.choice(chunks)
    content = bytearray(chunk.read_bytes())
    site.strike(fault, may_repeat=len(chunks) * PAGE_ROWS if how == "folder" else 2 * PAGE_ROWS)
    if how == "folder":
        shutil.rmtree(chunk.parent)
    elif how == "deleted":
        chunk.unlink()
    elif how == "emptied":
        chunk.write_bytes(b"")
    elif how == "torn":
        chunk.write_bytes(content[: len(content) // 2])
    elif how == "swapped":
        other = next(each for each in chunks if each != chunk)
        chunk.write_bytes(other.read_bytes())
        other.write_bytes(content)
    else:
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)


def _resume(site: Site, name: str) -> None:
    """Resume a batch until it is: it may have ended, or never have been paused."""

    def resumed() -> bool:
        asked = site.installation.start("resume", [BATCHCTL, "resume", name])
        site.until(lambda: not asked.running(), "batchctl resume has returned")
        return asked.wait() == 0 or name in site.drops.ended()

    site.until(resumed, f"{name} is resumed")
    site.until(lambda: name in site.drops.ended(), f"{name} has ended behind its pause")
