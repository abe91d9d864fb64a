"""Waiting: for a file in the inbox to become a batch, and for a batch to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from activities.workspace import PROCESSING
from daemon.batchctl.console.printing import say, seconds_until
from daemon.batchctl.exit_codes import DONE, FAILED, NoSuchBatch, NotPossible, TimedOut
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.resolve import resolved
from daemon.batchctl.state.session import Session
from daemon.config.settings import Settings
from daemon.intake.admit.identities import Identities
from daemon.intake.explain import Fate, explain
from daemon.intake.sign_of_life import watch_of
from workflows.errors import InvalidBatchId, TemporalUnreachable
from workflows.ids import printable
from workflows.models import Counts

POLL_S = 0.2
SLOW_POLL_S = 1.0
INBOX_POLL_S = 1.0
VANISHED_S = 5.0
"""A file leaves the inbox a moment before its receipt is written."""

SHORT_WAIT_S = 120.0
"""An API that is down is asked more often than this; a longer wait is one that the API named."""

OUTAGE_S = 60.0
"""A server that is being restarted is no reason to give up."""


class Deadline:
    """When to give up; never, where no time is given.

    With `feeds`, each pause also reports, once on standard error, that no daemon works their inboxes, or does again.
    """

    def __init__(self, timeout_s: float | None, feeds: Sequence[Settings] = ()) -> None:
        self._timeout_s = timeout_s
        self._end = None if timeout_s is None else time.monotonic() + timeout_s
        self._feeds = feeds
        self._inbox_checked_s = float("-inf")
        self._reported = ""

    async def pause(self, wanted_s: float, what: str) -> None:
        """Sleep for `wanted_s` seconds, or less where less is left.

        Raises:
            TimedOut: nothing is left; `what` did not happen.
        """
        if self._feeds and time.monotonic() - self._inbox_checked_s >= INBOX_POLL_S:
            self._report_inboxes()
        if self._end is None:
            await asyncio.sleep(wanted_s)
            return
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise TimedOut(f"{what} within {self._timeout_s:g} s")
        await asyncio.sleep(min(wanted_s, left_s))

    def _report_inboxes(self) -> None:
        self._inbox_checked_s = time.monotonic()
        watches = [watch_of(each) for each in self._feeds]
        troubled = [each for each in watches if each.trouble]
        if troubled and troubled[0].attendance != self._reported:
            more = f" (and {len(troubled) - 1} inboxes more)" if len(troubled) > 1 else ""
            say(troubled[0].trouble + more)
            self._reported = troubled[0].attendance
        elif self._reported and all(each.attendance == "watched" for each in watches):
            say(watches[0].why)
            self._reported = ""


async def batch_of(session: Session, name: str, deadline: Deadline) -> str:
    """Return the id of the batch that `name` means; a file of that name in the inbox is waited for.

    Raises:
        NoSuchBatch: there is neither such a batch nor such a file.
        NotPossible: the file was refused.
        TimedOut: the file has not become a batch in time.
    """
    pending_at: float | None = None
    while True:
        if is_pending(session, name):
            if pending_at is None:
                say(f"{name} is still in the inbox; waiting until it is taken")
            pending_at = time.monotonic()
        else:
            try:
                return await resolved(session, name)
            except NoSuchBatch:
                if pending_at is None or time.monotonic() - pending_at > VANISHED_S:
                    identity = became(session, name)
                    if identity is None:
                        raise
                    return identity
        await deadline.pause(POLL_S, f"{name} has not become a batch")


async def submitted_batch(session: Session, settings: Settings, name: str, sha256: str, deadline: Deadline) -> str:
    """Return the id of the batch that the file `name` with this content has become in a feed with these `settings`.

    Raises:
        NotPossible: the daemon refused it.
        TimedOut: it has not become a batch in time.
    """
    gone_at: float | None = None
    while True:
        identity = _receipted(session, settings, name, sha256)
        if identity:
            return identity
        if is_pending(session, name):
            gone_at = None
        else:
            gone_at = gone_at or time.monotonic()
            if time.monotonic() - gone_at > VANISHED_S:
                identity = became(session, name)
                if identity is None:
                    raise NotPossible(f"{name} is gone from the inbox, and nobody here knows where to")
                return identity
        await deadline.pause(POLL_S, f"{name} has not become a batch")


def became(session: Session, name: str) -> str | None:
    """Return the batch that a file has become which is gone from the inbox: as a duplicate it is an earlier one.

    None where nothing is known of it.

    Raises:
        NotPossible: it was refused; the message says why.
    """
    fates = [each for settings in feeds_that_count(session) for each in explain(settings, name).fates[:1]]
    if not fates:
        return None
    last: Fate = max(fates, key=lambda each: each.at)
    if last.batch_id is None:
        raise NotPossible(f"{name} was {last.became}: {last.why}")
    return last.batch_id


def feeds_that_count(session: Session, name: str | None = None) -> list[Settings]:
    """Return the settings of the feed of the batch that `name` means; else of the feed that counts, or of all."""
    receipt = session.receipts.find(name) if name is not None else None
    if receipt is not None and session.counts(receipt):
        return [session.in_use.settings_of(receipt)]
    return [each for feed, each in session.in_use.feeds.items() if session.feed in {None, feed}]


def _receipted(session: Session, settings: Settings, name: str, sha256: str) -> str | None:
    """Return the batch with this identity that has a receipt; its name may be another where content alone counts."""
    first = Identities(settings, session.receipts).identified(os.fsencode(name), sha256).first
    return first.id if first else None


def is_pending(session: Session, name: str) -> bool:
    """Return whether a file of that name waits in the inbox, or is claimed and has no receipt yet."""
    if "/" in name or name in {"", ".", ".."}:
        return False
    inboxes = {each.inbox for each in feeds_that_count(session)}
    return any(_is_file(each / name) for each in inboxes) or any(
        _is_file(claimed / name) and not _has_receipt(session, claimed.name)
        for each in inboxes
        for claimed in _folders(each / PROCESSING)
    )


async def end_of(session: Session, identity: str, deadline: Deadline) -> BatchView:
    """Return the state of a batch once it has ended.

    Raises:
        TimedOut: it has not ended in time.
        TemporalUnreachable: Temporal has been silent for a minute, or is from the start.
    """
    answered_at: float | None = None
    poll_s = POLL_S
    while True:
        try:
            if await _may_have_ended(session, identity):
                view = await session.view(identity)
                if view.settled:
                    return view
            answered_at = time.monotonic()
        except TemporalUnreachable:
            if answered_at is None or time.monotonic() - answered_at > OUTAGE_S:
                raise
        await deadline.pause(poll_s, f"{printable(identity)} has not ended")
        poll_s = min(poll_s * 1.2, SLOW_POLL_S)


def say_end(view: BatchView) -> int:
    """Say how a batch ended and return the exit code that means."""
    rows = ", ".join([f"{view.counts.records:,} rows", *exceptions(view.counts)])
    why = f": {view.error}" if view.error else f" ({rows})"
    say(f"{view.id} is {view.state}{why}")
    return DONE if view.state == "completed" else FAILED


def exceptions(counts: Counts) -> list[str]:
    """Return how many rows were not enriched, by what became of them: `12 fallback`. Empty where all were."""
    return [f"{rows:,} {outcome}" for outcome, rows in counts.outcomes().items() if rows and outcome != "enriched"]


def long_wait_s(view: BatchView) -> float | None:
    """Return the seconds until the API is called again; None unless it is known to be minutes away or more."""
    left_s = seconds_until(view.waiting.until) if view.waiting and view.waiting.on == "api" else None
    return left_s if left_s and left_s > SHORT_WAIT_S else None


async def _may_have_ended(session: Session, identity: str) -> bool:
    receipt = session.receipts.read(identity)
    if receipt and receipt.ended:
        return True
    run = await (await session.live()).run_of(identity)
    return (run is None and receipt is None) or (run is not None and not run.running)


def _has_receipt(session: Session, folder_name: str) -> bool:
    with contextlib.suppress(InvalidBatchId):
        return session.receipts.read(folder_name) is not None
    return False


def _is_file(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return path.is_file() and not path.is_symlink()
    return False


def _folders(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [each for each in folder.iterdir() if not each.name.startswith(".")]
    return []
