"""A retry of fallback rows that is under way: a run of its own, `batch-<id>-g<n>`, beside a batch that has ended."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from activities.output.output_folder import OutputFolder
from activities.output.page_journal import entries
from daemon.batchctl.console.printing import say
from daemon.batchctl.state.awaited import LOOK_S, Deadline
from daemon.batchctl.state.desk import Desk
from daemon.batchctl.state.results import Result, result_in
from daemon.batchctl.state.status_report import ENDED, Known, RowCounts, StatusReport, report_of
from workflows.errors import BatchdError, TemporalUnreachable


async def running_retry(desk: Desk, report: StatusReport) -> StatusReport | None:
    """Return the state of the retry that works on a batch which has ended; None where there is none.

    Temporal is asked only where the result has fallback rows: only these are retried.

    Raises:
        TemporalUnreachable: it does not answer.
    """
    result = result_in(Path(report.output_dir)) if report.state in ENDED else None
    if result is None or not result.manifest["counts"]["fallback"]:
        return None
    retry = StatusReport(id=report.id, state="running", generation=result.generation + 1)
    live = await desk.live()
    run = await live.run_of(retry.id, suffix=retry.suffix)
    if run is None or run.outcome:
        return None
    progress = await live.progress(retry.id, suffix=retry.suffix, patient=run.beating)
    if progress and progress.state in ENDED:
        return None
    known = report_of(Known(id=retry.id, run=run, progress=progress, output_dir=Path(report.output_dir)))
    return replace(known, generation=retry.generation, rows=_rows(result, retry.generation))


async def steered(desk: Desk, identity: str) -> StatusReport:
    """Return the state of what a command on this batch means: the batch, or where it has ended, its running retry.

    Raises:
        TemporalUnreachable: it does not answer; where the batch has ended, that is said.
    """
    report = await desk.report(identity)
    try:
        return await running_retry(desk, report) or report
    except TemporalUnreachable:
        say_unknown(report)
        raise


async def end_of_retry(desk: Desk, retry: StatusReport) -> bool:
    """Wait until a retry does not run any more and tell whether it ended well, cancelled or not."""
    live = await desk.live()
    while (run := await live.run_of(retry.id, suffix=retry.suffix)) is not None and run.outcome is None:
        await Deadline(None).pause(LOOK_S, f"{retry.name} has not ended")
    return run is not None and run.outcome != "failed"


def say_unknown(report: StatusReport) -> None:
    """Say that only the batch is known of, and not whether it is being retried."""
    say(f"{report.id} is {report.state}; whether a retry of its fallback rows runs is not known without Temporal")


def _rows(result: Result, generation: int) -> RowCounts:
    """Return the fallback rows that are retried, and how many of them are in chunks that the retry has saved."""
    pages: set[int] = set()
    with contextlib.suppress(BatchdError), OutputFolder.look(result.path.parent) as folder:
        pages = set(entries(folder, generation))
    done = sum(each["fallback"] for each in result.manifest["chunks"] if each["page"] in pages)
    return RowCounts(total=result.manifest["counts"]["fallback"], done=done)
