"""What is known of each feed: its folder, its batches, the rows of today and whether its API is out.

A feed that the configuration has no more is one of them as long as batches of it run, or files lie in its folder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from activities.registry.receipts import Receipt
from activities.registry.timestamps import moment_of
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.gone_feeds import gone_feeds
from daemon.batchctl.state.session import Session
from daemon.intake.observe.entries import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An API for which batches wait: since when, when it is asked again, why, and which they are. JSON-safe.

    `since` is when the first of them began to wait; `until` and `detail` are that one's, empty where unknown.
    """

    since: str
    until: str
    detail: str
    batches: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """One feed. JSON-safe.

    `files` counts those in the inbox with a name that the feed takes; None where the folder cannot be read.
    `rows_today` are the rows of batches that ended since midnight (UTC), and of all others that have not ended those
    done so far. `pattern` is None, and all files count, where the feed is gone.
    """

    feed: str
    api: str
    inbox: str
    pattern: str | None
    gone: bool
    files: int | None
    running: int
    waiting: int
    paused: int
    rows_today: int
    outage: Outage | None


async def feed_views(session: Session) -> tuple[list[FeedView], bool]:
    """Return every feed in the order of the file, then those that are gone; and whether Temporal was asked in vain."""
    receipts = list(session.newest_first())
    views, is_silent = await session.views_of([each for each in receipts if not each.ended])
    batches = _Batches(session.in_use, receipts, views)
    configured = [_configured(session.in_use, name, batches) for name in session.in_use.feeds]
    return [*configured, *_gone(session.in_use, receipts, batches)], is_silent


class _Batches:
    """What the batches of each feed add to its view."""

    def __init__(self, in_use: SettingsInUse, receipts: Iterable[Receipt], open_ones: Iterable[BatchView]) -> None:
        self.states: dict[str, list[str]] = defaultdict(list)
        self.rows_today = _rows_of_ended(in_use, receipts)
        for view in open_ones:
            self.states[view.feed].append(view.state)
            self.rows_today[view.feed] += view.counts.records
        self.outages = _outages(open_ones)

    def view(self, feed: str, api: str, inbox: Path, pattern: str | None, files: int | None) -> FeedView:
        states = self.states[feed]
        return FeedView(
            feed=feed,
            api=api,
            inbox=str(inbox.absolute()),
            pattern=pattern,
            gone=pattern is None,
            files=files,
            running=states.count("running"),
            waiting=states.count("waiting"),
            paused=states.count("paused"),
            rows_today=self.rows_today[feed],
            outage=self.outages.get(api),
        )


def _configured(in_use: SettingsInUse, name: str, batches: _Batches) -> FeedView:
    settings = in_use.feeds[name]
    names = Names(settings)
    files = _files(settings.inbox, lambda file: names.kind(os.fsencode(file)) == "wanted")
    return batches.view(name, in_use.api_of_feed[name], settings.inbox, settings.pattern, files)


def _gone(in_use: SettingsInUse, receipts: Iterable[Receipt], batches: _Batches) -> list[FeedView]:
    """Return the feeds that went and have left something: files in a folder, or batches that have not ended."""
    folders = {each.name: each for each in reversed(list(gone_feeds(in_use, receipts)))}
    views = [
        batches.view(name, each.api, each.inbox, None, _files(each.inbox, lambda file: not file.startswith(".")))
        for name, each in folders.items()
    ]
    return [each for each in views if each.files or batches.states[each.feed]]


def _rows_of_ended(in_use: SettingsInUse, receipts: Iterable[Receipt]) -> dict[str, int]:
    """Return the rows of the batches of each feed that have ended today."""
    midnight = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows: dict[str, int] = defaultdict(int)
    for each in receipts:
        ended_at = moment_of(each.finished_at) if each.ended else None
        if each.counts and ended_at and ended_at >= midnight:
            rows[in_use.feed_of(each)] += each.counts.records
    return rows


def _outages(views: Iterable[BatchView]) -> Mapping[str, Outage]:
    """Return the outage of each API for which a batch waits."""
    outages: dict[str, Outage] = {}
    for view in sorted(views, key=lambda each: each.waiting.since if each.waiting else ""):
        wait = view.waiting
        if wait and wait.on == "api":
            known = outages.setdefault(
                view.api, Outage(since=wait.since, until=wait.until, detail=wait.detail, batches=[])
            )
            known.batches.append(view.id)
    return outages


def _files(folder: Path, counts: Callable[[str], bool]) -> int | None:
    try:
        with os.scandir(folder) as entries:
            return sum(counts(each.name) and each.is_file(follow_symlinks=False) for each in entries)
    except OSError:
        return None
