"""`pause`, `resume`, `cancel`: each repeats without harm, and returns when it has taken hold.

Where a batch has ended they act on the retry of its fallback rows, if one is running.
"""

from __future__ import annotations

import argparse
import getpass
import os
import socket

from daemon.batchctl.arguments import add_id, add_reason
from daemon.batchctl.commands.control_all import (
    PAUSED_BY,
    PAUSED_BY_HELP,
    add_many,
    is_of_many,
    pause_all,
    resume_all,
)
from daemon.batchctl.console.printing import say
from daemon.batchctl.exit_codes import DONE, NotPossible
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import ENDED, NO_WORKER, NOT_STARTED, BatchView
from daemon.batchctl.state.resolve import resolved
from daemon.batchctl.state.retries import end_of_retry, steered
from daemon.batchctl.state.session import Session
from daemon.batchctl.state.taking_hold import TAKES_HOLD_S, is_going_on, is_quiet, within
from daemon.batchctl.state.waiting import Deadline, end_of, feeds_that_count, say_end
from workflows.models import Control

SOURCE_FILED = "its source is filed under failed/"


def add_pause(parser: argparse.ArgumentParser) -> None:
    """Declare `pause`."""
    add_id(parser, optional=True)
    add_many(parser)
    add_reason(parser)


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Declare `resume`."""
    add_pause(parser)
    parser.add_argument("--paused-by", choices=PAUSED_BY, default="refusal", help=PAUSED_BY_HELP)


def add_cancel(parser: argparse.ArgumentParser) -> None:
    """Declare `cancel`."""
    add_id(parser)
    add_reason(parser)
    parser.add_argument("--wait", action="store_true", help="return when the batch has ended")


async def run_pause(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Pause a batch, or many; when this returns, its calls in flight are over and no new one starts."""
    if is_of_many(parsed):
        return await pause_all(in_use, parsed, requested_by(parsed.reason))
    session = Session(in_use)
    view = await _open_batch(session, parsed.id, "paused")
    if view.paused:
        say(f"{view.name} is already paused by {view.paused.by or 'an operator'}")
        return DONE
    if view.cancelling:
        raise NotPossible(f"{view.name} is being cancelled and cannot be paused")
    live = await session.live()
    await live.signal(view.id, "pause", requested_by(parsed.reason), suffix=view.suffix)
    if view.waiting_on == NO_WORKER:
        say(f"{view.name}: recorded; no worker answers, so it takes hold when one is back")
    elif await within(TAKES_HOLD_S, lambda: is_quiet(live, view)):
        _refuse_ended(await steered(session, view.id), "paused")
        say(f"{view.name} is paused")
    else:
        say(f"{view.name}: recorded; calls in flight are still being finished")
    return DONE


async def run_resume(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Resume a batch, or many; when this returns, it has taken note."""
    if is_of_many(parsed):
        return await resume_all(in_use, parsed, requested_by(parsed.reason))
    session = Session(in_use)
    view = await _open_batch(session, parsed.id, "resumed")
    if not view.paused and view.waiting_on != NO_WORKER:
        waits = f" (it waits for: {view.waiting_on})" if view.waiting_on else ""
        say(f"{view.name} is already running{waits}")
        return DONE
    live = await session.live()
    await live.signal(view.id, "resume", requested_by(parsed.reason), suffix=view.suffix)
    if view.waiting_on == NO_WORKER:
        say(f"{view.name}: recorded; no worker answers, so it takes hold when one is back")
    elif await within(TAKES_HOLD_S, lambda: is_going_on(live, view)):
        say(f"{view.name} is running")
    else:
        say(f"{view.name}: recorded; it takes hold as soon as a worker answers")
    return DONE


async def run_cancel(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Cancel a batch; with `--wait`, return when it has ended."""
    session = Session(in_use)
    identity = await resolved(session, parsed.id)
    view = await steered(session, identity)
    if view.state == "cancelled":
        say(f"{identity} is already cancelled")
        return DONE
    _refuse_ended(view, "cancelled")
    _refuse_unstarted(view, "cancelled")
    if view.cancelling:
        say(f"{view.name} is already being cancelled")
    else:
        await (await session.live()).signal(identity, "cancel", requested_by(parsed.reason), suffix=view.suffix)
        then = f"what is done becomes generation {view.generation}" if view.suffix else SOURCE_FILED
        say(f"{view.name}: cancelling; open chunks are finished first, then {then}")
    return await _until_cancelled(session, view) if parsed.wait else DONE


async def _until_cancelled(session: Session, view: BatchView) -> int:
    if view.suffix:
        retry = await end_of_retry(session, view.id, view.suffix, Deadline(None))
        if retry and retry.state != "failed":
            return DONE
        raise NotPossible(f"{view.name} has failed meanwhile; 'batchctl retry-failed {view.id}' tries again")
    ended = await end_of(session, view.id, Deadline(None, feeds_that_count(session, view.id)))
    return DONE if ended.state == "cancelled" else say_end(ended)


def requested_by(reason: str) -> Control:
    """Return who runs this command, and why."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Control(by=f"{user}@{socket.gethostname()}", reason=reason)


async def _open_batch(session: Session, name: str, done: str) -> BatchView:
    """Return the state of a batch that has begun and not ended, or of its retry."""
    identity = await resolved(session, name)
    view = await steered(session, identity)
    _refuse_ended(view, done)
    _refuse_unstarted(view, done)
    return view


def _refuse_unstarted(view: BatchView, done: str) -> None:
    if view.waiting_on == NOT_STARTED:
        why = view.waiting.detail if view.waiting else "try again in a moment"
        raise NotPossible(f"{view.id} has not been started yet, so it cannot be {done}; {why}")


def _refuse_ended(view: BatchView, done: str) -> None:
    if view.state in ENDED:
        raise NotPossible(f"{view.id} is {view.state} and cannot be {done}")
