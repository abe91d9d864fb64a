"""What each source says of one batch, and each fact of it from the first source that knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.registry.receipts import Receipt
from daemon.batchctl.state.results import Result, saved_work
from daemon.batchctl.state.runs import Ending, Run
from workflows.models import ControlState, Counts, Mode, State
from workflows.state import Progress

ENDED = frozenset({"completed", "failed", "cancelled"})
NEARLY_DONE = 0.999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the sources say; None where one says nothing, `silent` where Temporal was asked in vain.

    `control` is what stands on disk of a batch that Temporal does not tell of.
    """

    id: str
    receipt: Receipt | None = None
    run: Run | None = None
    progress: Progress | None = None
    ending: Ending | None = None
    control: ControlState | None = None
    result: Result | None = None
    output_dir: Path
    silent: bool = False


def counts_of(known: Known, state: State) -> tuple[Counts, int | None]:
    """Return the rows done, and all rows of the file where that number is known."""
    if known.result and state in ENDED:
        counts = known.result.counts
        return counts, counts.records if state == "completed" else None
    if known.progress:
        return known.progress.counts, known.progress.total_rows
    if known.ending and known.ending.result:
        counts = known.ending.result.counts
    elif known.receipt and known.receipt.counts:
        counts = known.receipt.counts
    else:
        _, counts = saved_work(known.output_dir)
    return counts, counts.records if state == "completed" else None


def share_done(known: Known, state: State) -> float:
    """Return how much of the source is done, by its bytes; exactly 1 only when the batch is completed."""
    if state == "completed":
        return 1.0
    size_bytes = source_facts(known)["bytes"] or 0
    if known.progress:
        done_bytes = known.progress.done_bytes
    elif known.result:
        done_bytes = sum(each["source_end"] - each["source_start"] for each in known.result.manifest["chunks"])
    else:
        done_bytes, _ = saved_work(known.output_dir)
    return round(min(done_bytes / size_bytes, NEARLY_DONE), 6) if size_bytes else 0.0


def source_facts(known: Known) -> dict[str, Any]:
    """Return name, size and digest of the source, None what is not known."""
    if known.receipt:
        source = known.receipt.source
        return {"name": source.name, "bytes": source.size_bytes, "sha256": source.sha256}
    if known.result:
        return {key: known.result.manifest["source"][key] for key in ("name", "bytes", "sha256")}
    return {"name": None, "bytes": known.progress.size_bytes if known.progress else None, "sha256": None}


def mode_of(known: Known) -> Mode | None:
    """Return how the batch is worked."""
    if known.run:
        return known.run.mode
    if known.result:
        mode: Mode = known.result.manifest["mode"]
        return mode
    return known.receipt.mode if known.receipt else None


def run_id_of(known: Known) -> str | None:
    """Return the newest run of the batch's workflow."""
    if known.run:
        return known.run.run_id
    ids = known.result.manifest["run_ids"] if known.result else []
    return ids[-1] if ids else None


def times_of(known: Known, state: State) -> tuple[str | None, str | None]:
    """Return start and end. A later generation's manifest tells only of itself, so the receipt goes before it."""
    timing = known.result.manifest["timing"] if known.result else {}
    started = (
        (known.progress.started_at if known.progress else None)
        or (known.receipt.started_at if known.receipt else None)
        or timing.get("started_at")
        or (known.run.started_at if known.run else None)
    )
    if state not in ENDED:
        return started or None, None
    finished = (
        (known.receipt.finished_at if known.receipt else None)
        or timing.get("finished_at")
        or (known.run.finished_at if known.run else None)
    )
    return started or None, finished or None


def lost_manifest(known: Known, state: State) -> str | None:
    """Return where the manifest of a batch that has ended was; None where it is there, or none was written."""
    if known.result or state not in ENDED:
        return None
    ended = known.ending.result.manifest if known.ending and known.ending.result else None
    name = (known.receipt.manifest if known.receipt else None) or ended
    return str(known.output_dir / name) if name else None


def error_of(known: Known, state: State) -> str | None:
    """Return why the batch failed, or who cancelled it."""
    if state not in {"failed", "cancelled"}:
        return None
    reason = known.receipt.reason if known.receipt else ""
    told = known.ending.error if known.ending else None
    return reason or told or ("the reason is not known here" if state == "failed" else None)
