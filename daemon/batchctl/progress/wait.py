"""`wait` and `watch`: until the end, in silence or with progress."""

from __future__ import annotations

import argparse
import sys

from daemon.batchctl.arguments import add_feed, add_id, add_json, add_timeout
from daemon.batchctl.console.printing import put_json, say
from daemon.batchctl.exit_codes import DONE
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.session import Session, ask_each, known_feed
from daemon.batchctl.state.status_document import document_of
from daemon.batchctl.state.waiting import Deadline, batch_of, end_of, feeds_that_count, say_end
from workflows.errors import TemporalUnreachable

POLL_S = 0.5
LOST_POLLS = 120
MOST_WATCHED = 50


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Declare `wait`."""
    add_id(parser)
    add_timeout(parser)
    add_json(parser)


def add_watch(parser: argparse.ArgumentParser) -> None:
    """Declare `watch`."""
    add_id(parser, optional=True)
    add_feed(parser, "only the batches of this feed")
    add_timeout(parser)
    add_json(parser)


async def run_wait(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Wait for the end of a batch, or of the batch that a file in the inbox becomes."""
    session = Session(in_use)
    deadline = Deadline(parsed.timeout, feeds_that_count(session, parsed.id))
    identity = await batch_of(session, parsed.id, deadline)
    view = await end_of(session, identity, deadline)
    if parsed.json:
        put_json(document_of(view))
    return say_end(view)


async def run_watch(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Show progress until the end of one batch, or of all that have not ended now."""
    session = Session(in_use, known_feed(in_use, parsed.feed))
    deadline = Deadline(parsed.timeout, feeds_that_count(session, parsed.id))
    ids = [await batch_of(session, parsed.id, deadline)] if parsed.id else unended(session)
    if not ids:
        session.refuse_where_none_ever_ran()
        say("nothing is running; 'batchctl list' shows what has ended")
    views = await _watched(session, ids, deadline, quiet=parsed.json)
    if parsed.json:
        put_json({"batches": [document_of(each) for each in views]})
    return max((say_end(each) for each in views), default=DONE)


def unended(session: Session) -> list[str]:
    """Return the newest batches that have not ended, oldest first."""
    ids = [each.id for each in session.newest_first() if not each.ended]
    if len(ids) > MOST_WATCHED:
        say(f"{len(ids):,} batches have not ended; the newest {MOST_WATCHED} are shown")
    return ids[:MOST_WATCHED][::-1]


async def _watched(session: Session, ids: list[str], deadline: Deadline, *, quiet: bool) -> list[BatchView]:
    """Show `ids` until all have ended, and return how.

    Raises:
        BrokenPipeError: nobody reads it any more, and not all have ended.
    """
    from daemon.batchctl.progress.bars import progress_display  # noqa: PLC0415 - loads rich, for watch alone

    seen: dict[str, BatchView] = {}
    lost_polls = 0
    with progress_display(sys.stdout, quiet=quiet) as display:
        while True:
            open_ids = [each for each in ids if each not in seen or not seen[each].settled]
            if not open_ids:
                return [seen[each] for each in ids]
            try:
                views = await ask_each(session.view, open_ids)
                seen.update({each.id: each for each in views})
                if not display.show(views) and not all(each.settled for each in views):
                    raise BrokenPipeError
                lost_polls = 0
            except TemporalUnreachable:
                lost_polls += 1
                if not seen or lost_polls > LOST_POLLS:
                    raise
            if not all(each.settled for each in seen.values()):
                await deadline.pause(POLL_S, "not all have ended")
