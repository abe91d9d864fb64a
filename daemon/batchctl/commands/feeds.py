"""`feeds`: each feed with its API, what waits in its inbox, and how its batches are."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from activities.registry.timestamps import readable_time
from daemon.batchctl.arguments import add_json
from daemon.batchctl.console.printing import put_json
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, UNREACHABLE
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.feed_views import FeedView, feed_views
from daemon.batchctl.state.session import Session

COLUMNS = [
    Column(heading="FEED", kind="name"),
    Column(heading="API", kind="name", left_out=4),
    Column(heading="FILES", kind="number"),
    Column(heading="RUNNING", kind="number"),
    Column(heading="WAITING", kind="number", left_out=5),
    Column(heading="PAUSED", kind="number", left_out=3),
    Column(heading="ROWS TODAY", kind="number"),
    Column(heading="PATTERN", kind="name", left_out=1),
    Column(heading="INBOX", kind="name", tail=13, left_out=2),
]
NOTE_COLUMN = Column(heading="NOTE", kind="sentence")
"""Shown where there is something to say of a feed."""


def add_feeds(parser: argparse.ArgumentParser) -> None:
    """Declare `feeds`."""
    add_json(parser)


async def run_feeds(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Print the feeds; exit code 3 where Temporal was needed and is silent. It is asked about unended batches alone."""
    views, is_silent = await feed_views(Session(in_use))
    if parsed.json:
        put_json({"feeds": [asdict(each) for each in views]})
    else:
        notes = [_note(each) for each in views]
        columns = [*COLUMNS, *([NOTE_COLUMN] if any(notes) else [])]
        put_table(columns, [[*_row(each), note][: len(columns)] for each, note in zip(views, notes, strict=True)])
    return UNREACHABLE if is_silent else DONE


def _row(view: FeedView) -> list[str]:
    return [
        view.feed,
        view.api,
        "-" if view.files is None else f"{view.files:,}",
        f"{view.running:,}",
        f"{view.waiting:,}",
        f"{view.paused:,}",
        f"{view.rows_today:,}",
        view.pattern or "-",
        view.inbox,
    ]


def _note(view: FeedView) -> str:
    notes = []
    if view.gone:
        notes.append("gone: not in the configuration any more; add it again, or move its files")
    elif view.files is None:
        notes.append("its inbox is not there, or cannot be read")
    if view.outage:
        count = len(view.outage.batches)
        waits = "1 batch waits" if count == 1 else f"{count} batches wait"
        detail = f": {view.outage.detail}" if view.outage.detail else ""
        notes.append(f"{waits} for the API {view.api} since {readable_time(view.outage.since)}{detail}")
    return "; ".join(notes)
