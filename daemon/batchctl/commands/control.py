"""`pause`, `resume`, `cancel`: each repeats without harm, and returns when it has taken hold.

Where a batch has ended they act on the retry of its fallback rows, if one is running.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from daemon.batchctl.arguments import add_id, add_reason, command
from daemon.batchctl.console.printing import say
from daemon.batchctl.exit_codes import DONE, NotPossible
from daemon.batchctl.state.awaited import Deadline, end_of
from daemon.batchctl.state.desk import Desk
from daemon.batchctl.state.ended import tell_end
from daemon.batchctl.state.live import LiveBatches
from daemon.batchctl.state.resolve import resolved
from daemon.batchctl.state.retries import end_of_retry, steered
from daemon.batchctl.state.status_report import ENDED, NO_WORKER, NOT_STARTED, StatusReport
from daemon.config.settings import Settings
from workflows.models import Control

TAKES_HOLD_S = 5.0
LOOK_S = 0.1
SOURCE_FILED = "its source is filed under failed/"


def add_commands(commands: Any) -> None:
    """Add `pause`, `resume` and `cancel`."""
    pause = command(commands, "pause", run_pause, help_text="start no further API call for a batch until 'resume'")
    resume = command(commands, "resume", run_resume, help_text="let a paused batch go on")
    cancel = command(
        commands, "cancel", run_cancel, help_text="end a batch: open chunks are finished, a manifest says what is done"
    )
    for each in (pause, resume, cancel):
        add_id(each)
        add_reason(each)
    cancel.add_argument("--wait", action="store_true", help="return when the batch has ended")


async def run_pause(settings: Settings, parsed: argparse.Namespace) -> int:
    """Pause a batch; when this returns, its calls in flight are over and no new one starts."""
    desk = Desk(settings)
    report = await _open_batch(desk, parsed.id, "paused")
    if report.paused:
        say(f"{report.name} is already paused")
        return DONE
    if report.cancelling:
        raise NotPossible(f"{report.name} is being cancelled and cannot be paused")
    live = await desk.live()
    await live.signal(report.id, "pause", said_by(parsed.reason), suffix=report.suffix)
    if report.waiting_on == NO_WORKER:
        say(f"{report.name}: recorded; no worker answers, so it takes hold when one is back")
    elif await _within(TAKES_HOLD_S, lambda: _is_quiet(live, report)):
        _refuse_ended(await steered(desk, report.id), "paused")
        say(f"{report.name} is paused")
    else:
        say(f"{report.name}: recorded; calls in flight are still being finished")
    return DONE


async def run_resume(settings: Settings, parsed: argparse.Namespace) -> int:
    """Resume a batch; when this returns, it has taken note."""
    desk = Desk(settings)
    report = await _open_batch(desk, parsed.id, "resumed")
    if not report.paused and report.waiting_on != NO_WORKER:
        waits = f" (it waits for: {report.waiting_on})" if report.waiting_on else ""
        say(f"{report.name} is already running{waits}")
        return DONE
    live = await desk.live()
    await live.signal(report.id, "resume", said_by(parsed.reason), suffix=report.suffix)
    if report.waiting_on == NO_WORKER:
        say(f"{report.name}: recorded; no worker answers, so it takes hold when one is back")
    elif await _within(TAKES_HOLD_S, lambda: _is_going_on(live, report)):
        say(f"{report.name} is running")
    else:
        say(f"{report.name}: recorded; it takes hold as soon as a worker answers")
    return DONE


async def run_cancel(settings: Settings, parsed: argparse.Namespace) -> int:
    """Cancel a batch; with `--wait`, return when it has ended."""
    desk = Desk(settings)
    identity = await resolved(desk, parsed.id)
    report = await steered(desk, identity)
    if report.state == "cancelled":
        say(f"{identity} is already cancelled")
        return DONE
    _refuse_ended(report, "cancelled")
    _refuse_unstarted(report, "cancelled")
    if report.cancelling:
        say(f"{report.name} is already being cancelled")
    else:
        await (await desk.live()).signal(identity, "cancel", said_by(parsed.reason), suffix=report.suffix)
        then = f"what is done becomes generation {report.generation}" if report.suffix else SOURCE_FILED
        say(f"{report.name}: cancelling; open chunks are finished first, then {then}")
    return await _until_cancelled(desk, report) if parsed.wait else DONE


async def _until_cancelled(desk: Desk, report: StatusReport) -> int:
    if report.suffix:
        if await end_of_retry(desk, report):
            return DONE
        raise NotPossible(f"{report.name} has failed meanwhile; 'batchctl retry-failed {report.id}' tries again")
    ended = await end_of(desk, report.id, Deadline(None))
    return DONE if ended.state == "cancelled" else tell_end(ended)


def said_by(reason: str) -> Control:
    """Return who runs this command, and why."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Control(by=f"{user}@{socket.gethostname()}", reason=reason)


async def _open_batch(desk: Desk, name: str, done: str) -> StatusReport:
    """Return the state of a batch that has begun and not ended, or of its retry."""
    identity = await resolved(desk, name)
    report = await steered(desk, identity)
    _refuse_ended(report, done)
    _refuse_unstarted(report, done)
    return report


def _refuse_unstarted(report: StatusReport, done: str) -> None:
    if report.waiting_on == NOT_STARTED:
        why = report.waiting.detail if report.waiting else "try again in a moment"
        raise NotPossible(f"{report.id} has not been started yet, so it cannot be {done}; {why}")


def _refuse_ended(report: StatusReport, done: str) -> None:
    if report.state in ENDED:
        raise NotPossible(f"{report.id} is {report.state} and cannot be {done}")


async def _is_quiet(live: LiveBatches, report: StatusReport) -> bool:
    """Tell whether the workflow has taken the pause and no page is being enriched."""
    progress = await live.progress(report.id, suffix=report.suffix)
    if progress is None or not (progress.paused or progress.state in ENDED):
        return False
    run = await live.run_of(report.id, suffix=report.suffix)
    return run is None or run.open_pages == 0


async def _is_going_on(live: LiveBatches, report: StatusReport) -> bool:
    progress = await live.progress(report.id, suffix=report.suffix)
    return progress is not None and progress.paused is None


async def _within(limit_s: float, check: Callable[[], Awaitable[bool]]) -> bool:
    end = time.monotonic() + limit_s
    while not await check():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_S)
    return True
