"""The settings of one feed of a configuration file: those of the service, the feed and its API in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from activities.api.mapping.request_plan import RequestPlan
from daemon.config.settings import PREFIX, Settings
from workflows.api_spec import ApiSpec, BatchTerms
from workflows.errors import InvalidCsv
from workflows.ids import printable
from workflows.models import Shape

DIALECT_KEYS = ("quote", "escape")
"""Keys of a feed that say how its files are written, and that no variable can say."""


class FeedSettings(Settings):
    """What `Settings` has, and what only a file can say. Made by `Configuration.settings_of`."""

    feed: str
    api: ApiSpec
    config_sha256: str
    beside: Mapping[str, str] = {}
    """Feeds that have the same inbox, each with its pattern: their files and claims are none of this one's."""

    quote: str = "auto"
    escape: str = ""

    def shape(self) -> Shape:
        """Return the settings that a batch keeps from its start to its end, with those that only a file can say."""
        shape = super().shape()
        return replace(shape, csv=replace(shape.csv, quote=self.quote, escape=self.escape))

    def terms(self) -> BatchTerms:
        """Return all that a batch keeps from its claim to its end."""
        return BatchTerms(shape=self.shape(), feed=self.feed, api=self.api, config_sha256=self.config_sha256)


def feed_of(settings: Settings) -> str:
    """Return the name of the feed that settings are for; empty where no configuration file names it."""
    return settings.feed if isinstance(settings, FeedSettings) else ""


def setting_name(settings: Settings, key: str) -> str:
    """Return what a setting of a feed is called where it is set: `feed.NAME.key` in a file, else a variable."""
    feed = feed_of(settings)
    return f"feed.{feed}.{key}" if feed else PREFIX + key.upper()


def check_used_columns(names: Iterable[str], settings: Settings) -> None:
    """Check that a file has all columns that the requests of its API are made of.

    Raises:
        InvalidCsv: it lacks some; the message names them all.
    """
    if not isinstance(settings, FeedSettings):
        return
    present, api = set(names), settings.api
    plan = RequestPlan.compile(api, dict.fromkeys(api.secret_vars, "unread"))
    missing = [name for name in plan.needed_columns if name not in present]
    if missing:
        raise InvalidCsv(
            f"the header lacks the column(s) {', '.join(map(printable, missing))} that requests to the API {api.name} "
            f"are made of; add them, or correct url, vars, body or bulk in [api.{api.name}]"
        )


def feeds_beside(settings: Settings) -> Mapping[str, str]:
    """Return the feeds that have the same inbox, each with its pattern."""
    return settings.beside if isinstance(settings, FeedSettings) else {}
