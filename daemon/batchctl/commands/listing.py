"""`list`: the batches, newest first, and with `--all` the files that are none yet or none any more."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from itertools import islice
from typing import Any, get_args

from activities.registry.receipts import Receipt
from activities.registry.timestamps import readable_time
from daemon.batchctl.arguments import add_feed, add_json, limit
from daemon.batchctl.console.printing import format_bytes, put, put_json, say
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, UNREACHABLE
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import ENDED, BatchView
from daemon.batchctl.state.session import Session, known_feed
from daemon.batchctl.state.status_document import document_of
from daemon.batchctl.state.waiting import feeds_that_count
from daemon.intake.explain import MOST_REFUSED, WaitingFile, waiting_files
from workflows.models import State

DEFAULT_LIMIT = 50
BATCH_COLUMNS = [
    Column(heading="BATCH", kind="name", tail=13, least=18),
    Column(heading="FILE", kind="name", left_out=3),
    Column(heading="SIZE", kind="number", left_out=1),
    Column(heading="STATE"),
    Column(heading="DONE", kind="number"),
    Column(heading="ROWS", kind="number", left_out=6),
    Column(heading="FALLBACK", kind="number", left_out=5),
    Column(heading="REJECTED", kind="number", left_out=4),
    Column(heading="STARTED", left_out=2),
]
NOT_FOUND_COLUMN = Column(heading="NOT FOUND", kind="number", left_out=4)
"""Shown where a batch has such rows, before those of fallback rows."""

FEED_COLUMN = Column(heading="FEED", kind="name", left_out=4)
"""Shown where there is more than one feed."""

FILE_COLUMNS = [
    Column(heading="FILE", kind="name"),
    Column(heading="STATE"),
    Column(heading="WHY", kind="sentence"),
]


def add_list(parser: argparse.ArgumentParser) -> None:
    """Declare `list`."""
    parser.add_argument("--state", choices=get_args(State), help="only batches in this state")
    add_feed(parser, "only the batches, and files, of this feed")
    parser.add_argument("--all", action="store_true", help="also files that wait, settle or were refused")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=limit,
        default=DEFAULT_LIMIT,
        help=f"the newest N batches ({DEFAULT_LIMIT} by default); 0: all",
    )
    add_json(parser)


async def run_list(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Print the batches. Temporal is asked only about those that have not ended."""
    session = Session(in_use, known_feed(in_use, parsed.feed))
    views, more, code = await _listed(session, parsed.state, parsed.limit)
    files = _files(session) if parsed.all else []
    if parsed.json:
        put_json(
            {
                "batches": [_document(each) for each in views],
                "files": [{**asdict(each), "feed": feed} for feed, each in files],
            }
        )
    else:
        _put(views, files, with_feeds=len({*in_use.feeds, *(each.feed for each in views if each.feed)}) > 1)
    if not views and not files:
        session.refuse_where_none_ever_ran()
        say(_nothing(session, parsed.state))
    _say_what_is_left_out(len(views), more, files)
    return code


def _nothing(session: Session, state: State | None) -> str:
    state_dir = session.service.state_dir.absolute()
    where = f"{state_dir} of the feed {session.feed}" if session.feed else state_dir
    if state:
        return f"no batch in {where} is {state}"
    inboxes = [str(each.inbox.absolute()) for each in feeds_that_count(session)]
    drop = f"drop a file into {inboxes[0]}" if len(inboxes) == 1 else "'batchctl feeds' shows where to drop files"
    return f"no batches in {where}; {drop}"


def _files(session: Session) -> list[tuple[str, WaitingFile]]:
    """Return the files of the inboxes that are no batch, each with its feed."""
    feeds = [(name, each) for name, each in session.in_use.feeds.items() if session.feed in {None, name}]
    return [(name, file) for name, settings in feeds for file in waiting_files(settings)]


def _put(views: list[BatchView], files: list[tuple[str, WaitingFile]], *, with_feeds: bool) -> None:
    if views:
        _put_batches(views, with_feeds=with_feeds)
    if views and files:
        put("")
    if files:
        feed_column = [FEED_COLUMN] if with_feeds else []
        rows = [[*([feed] if with_feeds else []), each.name, each.state, each.why] for feed, each in files]
        put_table([*feed_column, *FILE_COLUMNS], rows)


def _put_batches(views: list[BatchView], *, with_feeds: bool) -> None:
    columns, rows = list(BATCH_COLUMNS), [_row(each) for each in views]
    if with_feeds:
        columns.insert(1, FEED_COLUMN)
        for view, row in zip(views, rows, strict=True):
            row.insert(1, view.feed or "-")
    if any(each.counts.not_found for each in views):
        place = next(index for index, each in enumerate(columns) if each.heading == "FALLBACK")
        columns.insert(place, NOT_FOUND_COLUMN)
        for view, row in zip(views, rows, strict=True):
            row.insert(place, f"{view.counts.not_found:,}")
    put_table(columns, rows)


def _say_what_is_left_out(listed: int, more: int, files: list[tuple[str, WaitingFile]]) -> None:
    if more:
        say(f"{more:,} of {listed + more:,} batches are not shown, the oldest; '--limit 0' shows all")
    if sum(each.state == "refused" for _, each in files) >= MOST_REFUSED:
        say(f"of refused files, only the newest {MOST_REFUSED} are shown; the inbox's failed/ holds all")


async def _listed(session: Session, state: State | None, most: int) -> tuple[list[BatchView], int, int]:
    """Return the newest batches in `state`, how many more there are, and 3 as exit code where Temporal is silent."""
    if state:
        newest, more = [each for each in session.newest_first() if _may_be(each, state)], 0
    else:
        newest = list(islice(session.newest_first(), most or None))
        more = max(_count(session) - most, 0) if most and len(newest) == most else 0
    views, is_silent = await session.views_of(newest)
    if state:
        views = [each for each in views if each.state == state]
        more = max(len(views) - most, 0) if most else 0
    return views[: most or None], more, UNREACHABLE if is_silent else DONE


def _count(session: Session) -> int:
    return session.receipts.count() if session.feed is None else sum(1 for _ in session.newest_first())


def _may_be(receipt: Receipt, state: State) -> bool:
    """Return whether a batch can be in `state`, by its receipt alone."""
    return receipt.state == state if receipt.ended or state in ENDED else True


def _document(view: BatchView) -> dict[str, Any]:
    """Return the fields of `status --json` that a list can afford."""
    left_out = {"run_id", "manifest"}
    return {key: value for key, value in document_of(view).items() if key not in left_out}


def _row(view: BatchView) -> list[str]:
    size = view.source["bytes"]
    return [
        view.id,
        view.source["name"] or "-",
        "-" if size is None else format_bytes(size),
        _short_state(view),
        f"{100 * view.progress:.0f} %",
        f"{view.counts.records:,}",
        f"{view.counts.fallback:,}",
        f"{view.counts.rejected:,}",
        readable_time(view.started_at),
    ]


def _short_state(view: BatchView) -> str:
    """Return the state with what a waiting batch waits for; `status` has the whole of that."""
    return f"waiting ({view.waiting_on.partition(':')[0]})" if view.waiting_on else view.state
