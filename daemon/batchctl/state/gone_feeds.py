"""Feeds that only receipts know any more: the configuration has none of their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from activities.registry.receipts import Receipt
from daemon.batchctl.settings_in_use import SettingsInUse


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneFeed:
    """A feed that went, as the newest batch of it in that folder has it."""

    name: str
    api: str
    inbox: Path


def gone_feeds(in_use: SettingsInUse, receipts: Iterable[Receipt]) -> Iterator[GoneFeed]:
    """Yield the feeds that went, once for each folder that was the inbox of one and is of no other feed now.

    `receipts` come newest first.
    """
    inboxes = {os.path.realpath(each.inbox) for each in in_use.feeds.values()}
    for receipt in receipts:
        feed = in_use.feed_of(receipt)
        if feed in in_use.feeds or not receipt.inbox:
            continue
        folder = os.path.realpath(receipt.inbox)
        if folder not in inboxes:
            inboxes.add(folder)
            yield GoneFeed(name=feed, api=in_use.api_of(receipt), inbox=Path(receipt.inbox))
