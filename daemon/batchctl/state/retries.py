"""A retry of fallback rows that is under way: a run of its own, `batch-<id>-g<n>`, beside a batch that has ended."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from activities.output.output_folder import OutputFolder
from activities.output.page_journal import entries
from daemon.batchctl.console.printing import say
from daemon.batchctl.state.batch_view import ENDED, BatchView, merged, retry_suffix
from daemon.batchctl.state.session import Session
from daemon.batchctl.state.waiting import POLL_S, Deadline
from workflows.errors import BatchdError, TemporalUnreachable
from workflows.models import Counts


async def running_retry(session: Session, view: BatchView) -> BatchView | None:
    """Return the state of the retry that works on a batch which has ended; None where there is none.

    Temporal is asked only where the result has fallback rows: only these are retried.

    Raises:
        TemporalUnreachable: it does not answer.
    """
    if view.state not in ENDED or not (view.document and view.document["counts"]["fallback"]):
        return None
    generation = view.document["generation"] + 1
    suffix = retry_suffix(generation)
    live = await session.live()
    server = await live.run_of(view.id, suffix=suffix)
    if server is None or not server.running:
        return None
    workflow = await live.progress(view.id, suffix=suffix, patient=server.heartbeat)
    if workflow and workflow.state in ENDED:
        return None
    retry = merged(view.id, view.output_dir, {"server": server, "workflow": workflow})
    done = Counts(records=_rows_done(view, generation))
    return replace(retry, generation=generation, counts=done, total_rows=view.document["counts"]["fallback"])


async def steered(session: Session, identity: str) -> BatchView:
    """Return the state of what a command on this batch means: the batch, or where it has ended, its running retry.

    Raises:
        TemporalUnreachable: it does not answer; where the batch has ended, a message says so.
    """
    view = await session.view(identity)
    try:
        return await running_retry(session, view) or view
    except TemporalUnreachable:
        say_unknown(view)
        raise


async def end_of_retry(session: Session, batch_id: str, suffix: str, deadline: Deadline) -> BatchView | None:
    """Return the run of a retry once it has ended; None where Temporal has lost it.

    Raises:
        TimedOut: it has not ended in time.
    """
    live = await session.live()
    while (run := await live.run_of(batch_id, suffix=suffix)) is not None and run.running:
        await deadline.pause(POLL_S, f"the retry of {batch_id} has not ended")
    return run


def say_unknown(view: BatchView) -> None:
    """Say that only the batch is known of, and not whether it is being retried."""
    say(f"{view.id} is {view.state}; whether a retry of its fallback rows runs is not known without Temporal")


def _rows_done(view: BatchView, generation: int) -> int:
    """Return how many of the fallback rows that are retried are in chunks that the retry has saved."""
    pages: set[int] = set()
    with contextlib.suppress(BatchdError), OutputFolder.existing(view.output_dir) as folder:
        pages = set(entries(folder, generation))
    return sum(each["fallback"] for each in view.document["chunks"] if each["page"] in pages)
