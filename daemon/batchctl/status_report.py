"""The state of one batch, put together from all that know of it: receipt, Temporal, the workflow, the output folder.

Each source may be missing. A batch that has ended is answered from its receipt or its manifest alone; for one that
has not, Temporal says whether it runs and the workflow says how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.receipts import Receipt
from daemon.batchctl.results import Result, saved_work
from daemon.batchctl.runs import Ending, Run
from daemon.batchctl.words import seconds_between
from workflows.models import ControlState, Counts, Mode, Pause, State
from workflows.state import Progress, Waiting

ENDED = frozenset({"completed", "failed", "cancelled"})
NOT_STARTED = "start"
NO_WORKER = "worker"
NO_SERVER = "temporal: no server answers"
JUST_BEGUN = 0.999_999
"""Progress is exactly 1 only when the batch is completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Rows by what became of them; `total` is None until the end of the file has been seen."""

    total: int | None = None
    done: int = 0
    enriched: int = 0
    fallback: int = 0
    rejected: int = 0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The fields of `status --json`, and what commands go by.

    `answered` tells whether a worker said how far the batch is; `settled` that nothing more will happen to it.
    `generation` is 2 or more where this is the state of a retry of a batch's fallback rows.
    """

    id: str
    generation: int = 1
    state: State
    run_id: str | None = None
    mode: Mode | None = None
    source: dict[str, Any] = field(default_factory=dict)
    rows: RowCounts = field(default_factory=RowCounts)
    progress: float = 0.0
    rows_per_s: float | None = None
    eta_s: float | None = None
    waiting_on: str | None = None
    waiting: Waiting | None = None
    paused: Pause | None = None
    cancelling: bool = False
    answered: bool = False
    started_at: str | None = None
    finished_at: str | None = None
    output_dir: str = ""
    manifest: str | None = None
    error: str | None = None
    settled: bool = False

    @property
    def suffix(self) -> str:
        """What follows the batch's workflow ID in that of a retry."""
        return f"-g{self.generation}" if self.generation > 1 else ""

    @property
    def name(self) -> str:
        """The batch, or the retry of it, in words."""
        return f"{self.id} (retry, generation {self.generation})" if self.generation > 1 else self.id


def report_of(known: Known) -> StatusReport:
    """Return the state of a batch from what is known of it."""
    state = _state(known)
    waiting_on = _waiting_on(known, state)
    if waiting_on and state == "running":
        state = "waiting"
    progress = known.progress
    counts, total = _counts(known, state)
    started_at, finished_at = _times(known, state)
    elapsed_s = seconds_between(started_at, finished_at)
    share = _share_done(known, state)
    return StatusReport(
        id=known.id,
        state=state,
        run_id=_run_id(known),
        mode=_mode(known),
        source=_source(known),
        rows=RowCounts(
            total=total,
            done=counts.records,
            enriched=counts.enriched,
            fallback=counts.fallback,
            rejected=counts.rejected,
        ),
        progress=share,
        rows_per_s=round(counts.records / elapsed_s, 1) if elapsed_s and counts.records else None,
        eta_s=round(elapsed_s * (1 - share) / share, 1) if state == "running" and elapsed_s and share else None,
        waiting_on=waiting_on,
        waiting=_waiting(known, waiting_on) if state == "waiting" else None,
        paused=_pause(known) if state == "paused" else None,
        cancelling=bool(progress and progress.cancelling and state in {"running", "waiting"}),
        answered=progress is not None,
        started_at=started_at,
        finished_at=finished_at,
        output_dir=str(known.output_dir),
        manifest=str(known.result.path) if known.result else None,
        error=_error(known, state),
        settled=state in ENDED and not (known.run and known.run.outcome is None),
    )


def _state(known: Known) -> State:
    receipted = known.receipt.state if known.receipt else "claimed"
    if receipted != "claimed" and receipted != "running":  # noqa: PLR1714 - narrows the type
        return receipted
    if known.run and known.run.outcome is None:
        return known.progress.state if known.progress else "running"
    if known.result:
        return known.result.outcome
    if known.run is None or known.run.outcome is None:
        return "paused" if _pause(known) else "waiting"
    if known.ending and known.ending.result:
        return "cancelled" if known.ending.result.status == "cancelled" else "completed"
    return known.run.outcome


def _pause(known: Known) -> Pause | None:
    """Return the pause the workflow names; where Temporal has lost it, the one that the next start begins with."""
    if known.progress:
        return known.progress.paused
    return known.control.pause if known.control and not known.control.cancel else None


def _waiting_on(known: Known, state: State) -> str | None:
    if known.run is None and state not in ENDED:
        was_running = known.receipt is not None and known.receipt.state == "running"
        return NO_SERVER if known.silent and was_running else NOT_STARTED
    if known.run is None or state not in {"running", "waiting"}:
        return None
    if known.progress is None:
        return known.run.trouble or NO_WORKER
    if known.progress.waiting:
        return known.progress.waiting.on
    return known.run.trouble


def _waiting(known: Known, waiting_on: str | None) -> Waiting | None:
    if known.progress:
        return known.progress.waiting
    receipt = known.receipt
    if waiting_on == NOT_STARTED and receipt and receipt.reason:
        return Waiting(on=NOT_STARTED, since=receipt.claimed_at, detail=receipt.reason)
    return None


def _counts(known: Known, state: State) -> tuple[Counts, int | None]:
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


def _share_done(known: Known, state: State) -> float:
    if state == "completed":
        return 1.0
    size_bytes = _source(known)["bytes"] or 0
    if known.progress:
        done_bytes = known.progress.done_bytes
    elif known.result:
        done_bytes = sum(each["source_end"] - each["source_start"] for each in known.result.manifest["chunks"])
    else:
        done_bytes, _ = saved_work(known.output_dir)
    return round(min(done_bytes / size_bytes, JUST_BEGUN), 6) if size_bytes else 0.0


def _source(known: Known) -> dict[str, Any]:
    if known.receipt:
        source = known.receipt.source
        return {"name": source.name, "bytes": source.size_bytes, "sha256": source.sha256}
    if known.result:
        return {key: known.result.manifest["source"][key] for key in ("name", "bytes", "sha256")}
    return {"name": None, "bytes": known.progress.size_bytes if known.progress else None, "sha256": None}


def _mode(known: Known) -> Mode | None:
    if known.run:
        return known.run.mode
    if known.result:
        mode: Mode = known.result.manifest["mode"]
        return mode
    return known.receipt.mode if known.receipt else None


def _run_id(known: Known) -> str | None:
    if known.run:
        return known.run.run_id
    ids = known.result.manifest["run_ids"] if known.result else []
    return ids[-1] if ids else None


def _times(known: Known, state: State) -> tuple[str | None, str | None]:
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


def _error(known: Known, state: State) -> str | None:
    if state not in {"failed", "cancelled"}:
        return None
    reason = known.receipt.reason if known.receipt else ""
    told = known.ending.error if known.ending else None
    return reason or told or ("the reason is not known here" if state == "failed" else None)
