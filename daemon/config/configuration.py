"""The whole configuration: from `batchd.toml`, or from the `BATCH_*` variables where there is no file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config.api_spec import api_spec_of
from daemon.config.arguments import config_path
from daemon.config.check import checked
from daemon.config.checks.variables import service_variables
from daemon.config.feed_settings import DIALECT_KEYS, FeedSettings
from daemon.config.file import ConfigFile, read_file
from daemon.config.grammar.quantities import CallRate
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.schema_text import schema_text
from daemon.config.sections.api_section import ApiSection
from daemon.config.sections.feed_section import FeedSection
from daemon.config.sections.service_section import SERVICE_SETTINGS
from daemon.config.settings import PREFIX, Settings, load_settings
from workflows.errors import SettingsError
from workflows.ids import DEFAULT_FEED

DEFAULT = DEFAULT_FEED
"""Name of the feed and of the API that `BATCH_*` variables describe."""

DEFAULT_FALLBACK = {"region": "UNKNOWN"}
FEED_SETTINGS = tuple(name for name in FeedSection.model_fields if name in Settings.model_fields)
API_SETTINGS = ("timeout_s", "attempts", "concurrency", "max_body_bytes", "outage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that batchd is configured with. Without a file, `service` has the settings of the feed and of the API too.

    `config_sha256` is the hash of what the file says, without secrets and where they are; empty without a file.
    """

    service: Settings
    apis: dict[str, ApiSection]
    feeds: dict[str, FeedSection]
    config_sha256: str = ""
    file: ConfigFile | None = None
    schemas: dict[str, str] = field(default_factory=dict)
    """The Table Schema of each feed that has one, in canonical JSON; that of a file which cannot be read is missing."""
    variables: dict[str, str] = field(default_factory=dict)
    """Names of the settings that the environment gives, each with its variable."""

    def settings_by_feed(self) -> dict[str, Settings]:
        """Return what `settings_of` gives for each feed, by its name."""
        inboxes: dict[str, dict[str, str]] = {}
        for name, feed in self.feeds.items():
            inboxes.setdefault(os.path.realpath(feed.inbox), {})[name] = feed.pattern
        return {name: self._settings(name, patterns) for patterns in inboxes.values() for name in patterns}

    def worker_processes(self) -> int:
        """Return how many worker processes to run: never more than some API may have calls at once."""
        return self.service.worker_processes(max(self.apis[each.api].concurrency for each in self.feeds.values()))

    def settings_of(self, feed: str) -> Settings:
        """Return the settings of the service with those of one feed and of its API in their places.

        Of several rates `api_rate` has the lowest; an address is its template.
        """
        inbox = os.path.realpath(self.feeds[feed].inbox)
        same = {name: each.pattern for name, each in self.feeds.items() if os.path.realpath(each.inbox) == inbox}
        return self._settings(feed, same)

    def _settings(self, feed: str, patterns: Mapping[str, str]) -> Settings:
        """Return `settings_of` a feed; `patterns` are those of all feeds with its inbox."""
        if self.file is None:
            return self.service
        section, api = self.feeds[feed], self.apis[self.feeds[feed].api]
        values: dict[str, Any] = {name: getattr(section, name) for name in (*FEED_SETTINGS, *DIALECT_KEYS)}
        values |= {f"api_{name}": getattr(api, name) for name in API_SETTINGS}
        values["api_url"] = api.url
        values["api_rate"] = min((each.calls / each.per_s for each in api.rate), default=0.0)
        values |= {"feed": feed, "api": api_spec_of(section.api, api), "config_sha256": self.config_sha256}
        values |= {"null": section.null, "decimal": section.decimal}
        values["schema_text"] = self.schemas.get(feed) if section.table_schema is not None else ""
        values["beside"] = {name: pattern for name, pattern in patterns.items() if name != feed}
        given = self.service.model_fields_set
        return FeedSettings.model_construct(_fields_set=given, **{**dict(self.service), **values})

    def origin(self, path: KeyPath) -> str:
        """Return where a value comes from: `default`, `file:line`, or the name of a variable."""
        key = str(path[-1])
        if self.file is None:
            settings = _api_settings(path) if path[0] == "api" else [key]
            return next((self.variables[each] for each in settings if each in self.variables), "default")
        if path[0] == "service" and key in self.variables:
            return self.variables[key]
        for place in (path, ("defaults", *path[2:]) if path[0] == "feed" else path):
            if place in self.file.lines:
                return f"{self.file.name}:{self.file.lines[place]}"
        return self.origin(("service", key)) if path[0] == "feed" and key in SERVICE_SETTINGS else "default"


def load_configuration(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, *, files: bool = True
) -> Configuration:
    """Read the configuration: from `path`, else from `BATCH_CONFIG`, else from a usual place, else from variables.

    With `files`, secrets and certificates in files must be there and fit to be read: for those who call the API.

    Raises:
        SettingsError: something is wrong. Where that is the file, it is a `WrongConfiguration` with every mistake.
    """
    found = config_path(path, environ)
    return _from_variables(environ) if found is None else configuration_of(read_file(found), environ, files=files)


def configuration_of(file: ConfigFile, environ: Mapping[str, str] = os.environ, *, files: bool = True) -> Configuration:
    """Return the configuration that a file describes, see `load_configuration`.

    Raises:
        WrongConfiguration: something is wrong; it has every mistake.
    """
    sections = checked(file, environ, files=files)
    given = file.document.get("service", {}).keys() | service_variables(environ).keys()
    service = Settings.model_construct(
        _fields_set=set(given), **{name: getattr(sections.service, name) for name in SERVICE_SETTINGS}
    )
    schemas = dict(_schemas(sections.feeds, files=files))
    return Configuration(
        service=service,
        apis=sections.apis,
        feeds={name: _complete(each, service, sections.apis) for name, each in sections.feeds.items()},
        config_sha256=_config_sha256(file, sections.feeds, schemas),
        file=file,
        schemas=schemas,
        variables=_variables(environ),
    )


def _schemas(feeds: Mapping[str, FeedSection], *, files: bool) -> Iterator[tuple[str, str]]:
    """Yield the schema of each feed; without `files` one that cannot be read is left out."""
    for name, feed in feeds.items():
        if feed.table_schema is not None:
            try:
                yield name, schema_text(feed.table_schema, feed.decimal)
            except SettingsError:
                if files:  # it was checked, so it has changed since
                    raise


def _config_sha256(file: ConfigFile, feeds: Mapping[str, FeedSection], schemas: Mapping[str, str]) -> str:
    """Return the hash of what a file says, and of the schemas that it names."""
    named = sorted((name, text) for name, text in schemas.items() if isinstance(feeds[name].table_schema, Path))
    if not named:
        return file.sha256()
    return hashlib.sha256(json.dumps([file.sha256(), named], separators=(",", ":")).encode()).hexdigest()


def _complete(feed: FeedSection, service: Settings, apis: dict[str, ApiSection]) -> FeedSection:
    """Return a feed with what it leaves to others: the only API, and the output root of the service."""
    left_out = {"api": feed.api or next(iter(apis)), "output_root": feed.output_root or service.output_root}
    return feed.model_copy(update=left_out)


def _from_variables(environ: Mapping[str, str]) -> Configuration:
    settings = load_settings(environ)
    feed = FeedSection.model_construct(**{name: getattr(settings, name) for name in FEED_SETTINGS}, api=DEFAULT)
    return Configuration(
        service=settings,
        apis={DEFAULT: _api_of(settings)},
        feeds={DEFAULT: feed},
        variables=_variables(environ),
    )


def _api_of(settings: Settings) -> ApiSection:
    """Return the API that variables describe. Its bulk calls have a form of their own, which only `Settings` has."""
    values: dict[str, Any] = {name: getattr(settings, f"api_{name}") for name in API_SETTINGS}
    # An address of BATCH_API_URL is no template: its braces stand for themselves.
    values["url"] = settings.api_url.replace("{", "%7B").replace("}", "%7D")
    values["answer"] = {"fallback": DEFAULT_FALLBACK}
    if settings.api_rate:
        values["rate"] = (CallRate(calls=settings.api_rate, per_s=1.0),)
    if settings.api_token_file:
        values["auth"] = {"bearer": {"file": str(settings.api_token_file)}}
    elif settings.api_token.get_secret_value():
        values["auth"] = {"bearer": {"env": f"{PREFIX}API_TOKEN"}}
    return ApiSection.model_validate(values)


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    settings = {PREFIX + name.upper(): name for name in Settings.model_fields}
    return {settings[name.upper()]: name for name in environ if name.upper() in settings}


def _api_settings(path: KeyPath) -> list[str]:
    """Return the settings that a key of an API may come from, the first before the others."""
    if path[2] == "auth":
        return ["api_token_file", "api_token"]
    return ["api_" + "_".join(str(each) for each in path[2:])]
