"""`status`: everything about one batch."""

from __future__ import annotations

import argparse
from typing import Any

from activities.registry.timestamps import readable_time
from daemon.batchctl.arguments import add_id, add_json, command
from daemon.batchctl.console.printing import (
    put_facts,
    put_json,
    say,
    seconds_between,
    shown_bytes,
    shown_duration,
)
from daemon.batchctl.exit_codes import DONE
from daemon.batchctl.state.desk import Desk
from daemon.batchctl.state.resolve import resolved
from daemon.batchctl.state.retries import running_retry, say_unknown
from daemon.batchctl.state.status_document import document_of, retry_document
from daemon.batchctl.state.status_report import ENDED, NOT_STARTED, StatusReport
from daemon.config.settings import Settings
from daemon.intake.sign_of_life import watch_of
from workflows.errors import TemporalUnreachable


def add_commands(commands: Any) -> None:
    """Add `status`."""
    status = command(
        commands, "status", run_status, help_text="show one batch: state, counts, speed, what it waits for, its output"
    )
    add_id(status)
    add_json(status)


async def run_status(settings: Settings, parsed: argparse.Namespace) -> int:
    """Print the state of a batch. Temporal is asked only about what may be running: the batch, or a retry."""
    desk = Desk(settings)
    identity = await resolved(desk, parsed.id)
    try:
        report = await desk.report(identity)
    except TemporalUnreachable:
        _say_what_is_known(desk, identity)
        raise
    retry = await _retry(desk, report)
    if parsed.json:
        put_json({**document_of(report), "retry": retry_document(retry)})
    else:
        put_facts([*_facts(report), *([("retry", _shown_retry(retry))] if retry else [])])
    if report.waiting_on == NOT_STARTED and (trouble := watch_of(settings).trouble):
        say(trouble)
    return DONE


async def _retry(desk: Desk, report: StatusReport) -> StatusReport | None:
    try:
        return await running_retry(desk, report)
    except TemporalUnreachable:
        say_unknown(report)
        return None


def _say_what_is_known(desk: Desk, identity: str) -> None:
    receipt = desk.receipts.read(identity)
    if receipt:
        when = receipt.started_at or receipt.claimed_at
        say(f"{identity} ({receipt.source.name}) was {receipt.state} when last heard of, since {readable_time(when)}")
    control = desk.control_states.read(identity)
    if control and control.pause:
        why = f": {control.pause.reason}" if control.pause.reason else ""
        say(f"it was paused by {control.pause.by or 'an operator'} since {readable_time(control.pause.since)}{why}")


def _facts(report: StatusReport) -> list[tuple[str, str]]:
    rows = report.rows
    total = f" of {rows.total:,}" if rows.total is not None else ""
    size = report.source["bytes"]
    facts = [
        ("batch", report.id),
        ("state", shown_state(report)),
        ("file", f"{report.source['name'] or '-'}" + (f" ({shown_bytes(size)})" if size is not None else "")),
        (
            "rows",
            f"{rows.done:,}{total}: {rows.enriched:,} enriched, {rows.fallback:,} fallback, {rows.rejected:,} rejected",
        ),
        ("progress", f"{100 * report.progress:.1f} %" + _speed(report)),
        ("mode", report.mode or "-"),
        ("started", readable_time(report.started_at)),
        *([("finished", readable_time(report.finished_at))] if report.finished_at else []),
        ("output", report.output_dir),
        ("manifest", report.manifest or _without_manifest(report)),
    ]
    return [*facts, *([("error", report.error)] if report.error else [])]


def _without_manifest(report: StatusReport) -> str:
    if report.lost_manifest:
        return f"gone: {report.lost_manifest} was written and is not there any more"
    return "none: the batch ended without one" if report.state in ENDED else "not written yet"


def _shown_retry(retry: StatusReport) -> str:
    rows = retry.rows
    return f"generation {retry.generation}: {shown_state(retry)}, {rows.done:,} of {rows.total:,} rows"


def shown_state(report: StatusReport) -> str:
    """Return the state in words: by whom and why it is paused, what it waits for and until when."""
    if report.paused:
        why = f": {report.paused.reason}" if report.paused.reason else ""
        return f"paused by {report.paused.by or 'an operator'} since {readable_time(report.paused.since)}{why}"
    if report.waiting:
        until = f", asks again at {readable_time(report.waiting.until)}" if report.waiting.until else ""
        detail = f" ({report.waiting.detail})" if report.waiting.detail else ""
        return f"waiting for the {report.waiting.on} since {readable_time(report.waiting.since)}{until}{detail}"
    if report.waiting_on:
        words = {"worker": "a worker to answer; none does", "start": "the daemon to start it"}
        return f"waiting for {words.get(report.waiting_on, report.waiting_on)}"
    return "running, being cancelled" if report.cancelling else report.state


def _speed(report: StatusReport) -> str:
    speed = f", {report.rows_per_s:,.1f} rows/s" if report.rows_per_s is not None else ""
    left = f", about {shown_duration(report.eta_s)} left" if report.eta_s is not None else ""
    took_s = seconds_between(report.started_at, report.finished_at) if report.finished_at else None
    return speed + left + (f", took {shown_duration(took_s)}" if took_s is not None else "")
