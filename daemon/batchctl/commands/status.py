"""`status`: everything about one batch."""

from __future__ import annotations

import argparse

from activities.registry.timestamps import readable_time
from daemon.batchctl.arguments import add_id, add_json
from daemon.batchctl.console.printing import (
    format_bytes,
    format_duration,
    put_facts,
    put_json,
    say,
    seconds_between,
)
from daemon.batchctl.exit_codes import DONE
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import ENDED, NOT_STARTED, BatchView
from daemon.batchctl.state.resolve import resolved
from daemon.batchctl.state.retries import running_retry, say_unknown
from daemon.batchctl.state.session import Session
from daemon.batchctl.state.status_document import document_of, retry_document
from daemon.batchctl.state.waiting import feeds_that_count, long_wait_s
from daemon.intake.sign_of_life import watch_of
from workflows.errors import TemporalUnreachable
from workflows.ids import DEFAULT_FEED


def add_status(parser: argparse.ArgumentParser) -> None:
    """Declare `status`."""
    add_id(parser)
    add_json(parser)


async def run_status(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Print the state of a batch. Temporal is asked only about what may be running: the batch, or a retry."""
    session = Session(in_use)
    identity = await resolved(session, parsed.id)
    try:
        view = await session.view(identity)
    except TemporalUnreachable:
        _say_what_is_known(session, identity)
        raise
    retry = await _retry(session, view)
    if parsed.json:
        put_json({**document_of(view), "retry": retry_document(retry)})
    else:
        put_facts([*_facts(view), *([("retry", _format_retry(retry))] if retry else [])])
    if view.waiting_on == NOT_STARTED and (trouble := _trouble(session, identity)):
        say(trouble)
    return DONE


def _trouble(session: Session, identity: str) -> str:
    return next((each.trouble for each in map(watch_of, feeds_that_count(session, identity)) if each.trouble), "")


async def _retry(session: Session, view: BatchView) -> BatchView | None:
    try:
        return await running_retry(session, view)
    except TemporalUnreachable:
        say_unknown(view)
        return None


def _say_what_is_known(session: Session, identity: str) -> None:
    receipt = session.receipts.read(identity)
    if receipt:
        when = receipt.started_at or receipt.claimed_at
        say(f"{identity} ({receipt.source.name}) was {receipt.state} when last heard of, since {readable_time(when)}")
    control = session.control_states.read(identity)
    if control and control.pause:
        why = f": {control.pause.reason}" if control.pause.reason else ""
        say(f"it was paused by {control.pause.by or 'an operator'} since {readable_time(control.pause.since)}{why}")


def _facts(view: BatchView) -> list[tuple[str, str]]:
    counts = view.counts
    total = f" of {view.total_rows:,}" if view.total_rows is not None else ""
    size = view.source["bytes"]
    outcomes = ", ".join(f"{rows:,} {outcome}" for outcome, rows in counts.outcomes().items())
    facts = [
        ("batch", view.id),
        ("state", format_state(view)),
        ("file", f"{view.source['name'] or '-'}" + (f" ({format_bytes(size)})" if size is not None else "")),
        *([("feed", f"{view.feed}, API {view.api}")] if view.feed not in {"", DEFAULT_FEED} else []),
        ("rows", f"{counts.records:,}{total}: {outcomes}"),
        ("progress", f"{100 * view.progress:.1f} %" + _speed(view)),
        ("mode", view.mode or "-"),
        ("started", readable_time(view.started_at)),
        *([("finished", readable_time(view.finished_at))] if view.finished_at else []),
        ("output", str(view.output_dir)),
        ("manifest", view.manifest or _without_manifest(view)),
    ]
    return [*facts, *([("error", view.error)] if view.error else [])]


def _without_manifest(view: BatchView) -> str:
    if view.lost_manifest:
        return f"gone: {view.lost_manifest} was written and is not there any more"
    return "none: the batch ended without one" if view.state in ENDED else "not written yet"


def _format_retry(retry: BatchView) -> str:
    return (
        f"generation {retry.generation}: {format_state(retry)}, {retry.counts.records:,} of {retry.total_rows:,} rows"
    )


def format_state(view: BatchView) -> str:
    """Return the state as a sentence: by whom and why it is paused, what it waits for and until when."""
    if view.paused:
        why = f": {view.paused.reason}" if view.paused.reason else ""
        return f"paused by {view.paused.by or 'an operator'} since {readable_time(view.paused.since)}{why}"
    if view.waiting and (left_s := long_wait_s(view)):
        until = f"until {readable_time(view.waiting.until)} (in {format_duration(left_s)})"
        return f"waiting for the API {until}" + (f": {view.waiting.detail}" if view.waiting.detail else "")
    if view.waiting:
        until = f", asks again at {readable_time(view.waiting.until)}" if view.waiting.until else ""
        detail = f" ({view.waiting.detail})" if view.waiting.detail else ""
        return f"waiting for the {view.waiting.on} since {readable_time(view.waiting.since)}{until}{detail}"
    if view.waiting_on:
        waits = {"worker": "a worker to answer; none does", "start": "the daemon to start it"}
        return f"waiting for {waits.get(view.waiting_on, view.waiting_on)}"
    return "running, being cancelled" if view.cancelling else view.state


def _speed(view: BatchView) -> str:
    speed = f", {view.rows_per_s:,.1f} rows/s" if view.rows_per_s is not None else ""
    left = f", about {format_duration(view.eta_s)} left" if view.eta_s is not None else ""
    took_s = seconds_between(view.started_at, view.finished_at) if view.finished_at else None
    return speed + left + (f", took {format_duration(took_s)}" if took_s is not None else "")
