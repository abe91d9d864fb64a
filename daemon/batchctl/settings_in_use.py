"""The settings that a command of `batchctl` works by: those that the service has, where both find the same file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from activities.registry.receipts import Receipt
from daemon.config.arguments import config_path
from daemon.config.nearest_name import nearest
from daemon.config.settings import Settings, load_settings
from workflows.errors import SettingsError
from workflows.ids import DEFAULT_FEED

MOST_NAMED = 20
"""So many feeds, or APIs, are named in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsInUse:
    """What the configuration says, without secrets. Without a file there is one feed, `default`, with one API.

    `feeds` has the settings of the service with those of each feed; `service` those that are the same for all.
    """

    service: Settings
    feeds: Mapping[str, Settings]
    api_of_feed: Mapping[str, str]
    apis: tuple[str, ...] = (DEFAULT_FEED,)
    file: Path | None = None

    def feed_of(self, receipt: Receipt) -> str:
        """Return the feed of a batch; that of its inbox where the receipt has no terms, `default` for none."""
        if receipt.terms is not None:
            return receipt.terms.feed or DEFAULT_FEED
        found = [name for name, each in self.feeds.items() if str(each.inbox.absolute()) == receipt.inbox]
        return found[0] if found else DEFAULT_FEED

    def api_of(self, receipt: Receipt) -> str:
        """Return the API of a batch: as its receipt says, else as its feed has it now."""
        if receipt.terms is not None and receipt.terms.api is not None:
            return receipt.terms.api.name
        return self.api_of_feed.get(self.feed_of(receipt), DEFAULT_FEED)

    def settings_of(self, receipt: Receipt) -> Settings:
        """Return the settings of the feed of a batch, with the folders that its receipt names."""
        feed = self.feed_of(receipt)
        settings = self.feeds.get(feed, self.service)
        if self.file is None and not (receipt.terms and receipt.terms.feed):
            return settings
        given = {"inbox": Path(receipt.inbox), "output_root": Path(receipt.output_dir).parent}
        known = {name: folder for name, folder in given.items() if folder.is_absolute() and folder.is_dir()}
        return settings.model_copy(update=known)

    @property
    def output_roots(self) -> list[Path]:
        """The folders in which results are, each once, that of the service first."""
        return list(dict.fromkeys([self.service.output_root, *(each.output_root for each in self.feeds.values())]))


class FolderOfFeed(Protocol):
    """Where the files of a feed are dropped, and which it takes."""

    @property
    def inbox(self) -> Path:
        """The folder."""

    @property
    def pattern(self) -> str:
        """The pattern of their names."""


def settings_in_use(given: Path | None) -> SettingsInUse:
    """Return the settings of every feed, or those of `BATCH_*` where there is no configuration file.

    Secrets are not read: who may ask for a state need not be one who may read them.

    Raises:
        SettingsError: something is wrong; of several mistakes in a file, the first.
    """
    found = config_path(given, os.environ)
    if found is None:
        settings = load_settings()
        return SettingsInUse(service=settings, feeds={DEFAULT_FEED: settings}, api_of_feed={DEFAULT_FEED: DEFAULT_FEED})
    from daemon.config.configuration import load_configuration  # noqa: PLC0415 - a tenth of a second without a file

    configuration = load_configuration(found, files=False)
    return SettingsInUse(
        service=configuration.service,
        feeds=configuration.settings_by_feed(),
        api_of_feed={name: each.api for name, each in configuration.feeds.items()},
        apis=tuple(configuration.apis),
        file=found,
    )


def chosen_feed(feeds: Mapping[str, FolderOfFeed], wanted: str | None, file: Path | None = None) -> str:
    """Return the feed that is wanted; else the one whose inbox `file` lies in; else the only one.

    Raises:
        SettingsError: there is no such feed, or more than one is possible.
    """
    if wanted is not None:
        return known_name("feed", wanted, feeds)
    found = feeds_that_hold(feeds, file) if file is not None else []
    if len(found) == 1 or len(feeds) == 1:
        return (found or list(feeds))[0]
    among = found or list(feeds)
    raise SettingsError(f"there are {len(feeds)} feeds ({listed(among)}); add --feed with one of them")


def feeds_that_hold(feeds: Mapping[str, FolderOfFeed], file: Path) -> list[str]:
    """Return the feeds with the folder of `file` as inbox; where several have, those that take its name, if any do."""
    import fnmatch  # noqa: PLC0415 - for the few commands that are about a file

    folder = os.path.realpath(file.parent)
    found = [name for name, each in feeds.items() if os.path.realpath(each.inbox) == folder]
    takers = [name for name in found if fnmatch.fnmatchcase(file.name.lower(), feeds[name].pattern.lower())]
    return takers or found


def known_name(kind: str, wanted: str, known: Iterable[str]) -> str:
    """Return the name of a feed or of an API that there is.

    Raises:
        SettingsError: there is none of this name; the message has the nearest.
    """
    names = list(known)
    if wanted in names:
        return wanted
    close = nearest(wanted, names)
    there = f"did you mean {close}?" if close else f"there is {listed(names)}"
    raise SettingsError(f"there is no {kind} {wanted!a}; {there}")


def listed(names: Iterable[str]) -> str:
    """Return names for a message, not more than a line or two of them."""
    every = list(names)
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more
