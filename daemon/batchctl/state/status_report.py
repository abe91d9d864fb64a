"""The state of one batch, put together from all that know of it: receipt, Temporal, the workflow, the output folder.

Each source may be missing. A batch that has ended is answered from its receipt or its manifest alone; for one that
has not, Temporal says whether it runs and the workflow says how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daemon.batchctl.console.printing import seconds_between
from daemon.batchctl.state.known import (
    ENDED,
    Known,
    counts_of,
    error_of,
    lost_manifest,
    mode_of,
    run_id_of,
    share_done,
    source_facts,
    times_of,
)
from workflows.models import Mode, Pause, State
from workflows.state import Waiting

__all__ = ["ENDED", "NOT_STARTED", "NO_SERVER", "NO_WORKER", "Known", "RowCounts", "StatusReport", "report_of"]

NOT_STARTED = "start"
NO_WORKER = "worker"
NO_SERVER = "temporal: no server answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Rows by what became of them; `total` is None until the end of the file has been seen."""

    total: int | None = None
    done: int = 0
    enriched: int = 0
    fallback: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The fields of `status --json`, and what commands go by.

    `answered` tells whether a worker said how far the batch is; `settled` that nothing more will happen to it.
    `generation` is 2 or more where this is the state of a retry of a batch's fallback rows. `lost_manifest` is where a
    manifest was written that is not there any more.
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
    lost_manifest: str | None = None
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
    counts, total = counts_of(known, state)
    started_at, finished_at = times_of(known, state)
    elapsed_s = seconds_between(started_at, finished_at)
    share = share_done(known, state)
    return StatusReport(
        id=known.id,
        state=state,
        run_id=run_id_of(known),
        mode=mode_of(known),
        source=source_facts(known),
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
        lost_manifest=lost_manifest(known, state),
        error=error_of(known, state),
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
