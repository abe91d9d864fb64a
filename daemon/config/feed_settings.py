"""The settings of one feed of a configuration file: those of the service, the feed and its API in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from activities.api.mapping.request_plan import RequestPlan
from activities.batch_schema import BatchSchema
from daemon.config.settings import PREFIX, Settings
from workflows.api_spec import ApiSpec, BatchTerms
from workflows.errors import InvalidCsv, SettingsError
from workflows.ids import printable
from workflows.models import Shape

DIALECT_KEYS = (
    "quote",
    "escape",
    "header",
    "skip_lines",
    "comment",
    "trim",
    "bare_quotes",
    "short_rows",
    "footer",
)
"""Keys of a feed that say how its files are written, and that no variable can say."""


class FeedSettings(Settings):
    """What `Settings` has, and what only a file can say. Made by `Configuration.settings_of`."""

    feed: str
    api: ApiSpec
    config_sha256: str
    null: str | None = None
    decimal: str = "."
    schema_text: str | None = ""
    """The Table Schema in canonical JSON; None where its file could not be read."""
    beside: Mapping[str, str] = {}
    """Feeds that have the same inbox, each with its pattern: their files and claims are none of this one's."""

    quote: str = "auto"
    escape: str = ""
    header: bool | tuple[str, ...] = True
    skip_lines: int = 0
    comment: str = ""
    trim: bool = False
    bare_quotes: str = "accept"
    short_rows: str = "reject"
    footer: str = ""

    def shape(self) -> Shape:
        """Return the settings that a batch keeps from its start to its end, with those that only a file can say."""
        shape = super().shape()
        same = {name: getattr(self, name) for name in DIALECT_KEYS if name != "header"}
        names = () if isinstance(self.header, bool) else self.header
        csv = replace(shape.csv, has_header=self.header is True, column_names=names, **same)
        if self.schema_text:
            digest = sha256(self.schema_text.encode()).hexdigest()
            csv = replace(csv, schema_sha256=digest, null=self.null, decimal=self.decimal)
        return replace(shape, csv=csv)

    def terms(self) -> BatchTerms:
        """Return all that a batch keeps from its claim to its end.

        Raises:
            SettingsError: the schema could not be read.
        """
        return BatchTerms(
            shape=self.shape(),
            feed=self.feed,
            api=self.api,
            config_sha256=self.config_sha256,
            schema=self.checked_schema_text(),
        )

    def checked_schema_text(self) -> str:
        """Return the Table Schema in canonical JSON, empty where there is none.

        Raises:
            SettingsError: it could not be read.
        """
        if self.schema_text is None:
            raise SettingsError(f"feed.{self.feed}.schema: it cannot be read or used; 'batchctl config check' says why")
        return self.schema_text


def feed_of(settings: Settings) -> str:
    """Return the name of the feed that settings are for; empty where no configuration file names it."""
    return settings.feed if isinstance(settings, FeedSettings) else ""


def setting_name(settings: Settings, key: str) -> str:
    """Return what a setting of a feed is called where it is set: `feed.NAME.key` in a file, else a variable."""
    feed = feed_of(settings)
    return f"feed.{feed}.{key}" if feed else PREFIX + key.upper()


def check_used_columns(names: Iterable[str], settings: Settings) -> None:
    """Check that a file has all columns that the requests of its API are made of, and those that its schema requires.

    Raises:
        InvalidCsv: it lacks some; the message names them all.
    """
    if not isinstance(settings, FeedSettings):
        return
    columns, api = tuple(names), settings.api
    text = settings.checked_schema_text()
    present = set(BatchSchema.of_text(text, columns, settings.shape().csv).names if text else columns)
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
