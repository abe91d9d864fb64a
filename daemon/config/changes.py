"""What differs between two configurations: what takes hold while the service runs, and what asks for a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.config.configuration import Configuration
from daemon.config.findings import Finding

LIVE = frozenset(
    {
        "output_root",
        "rescan_s",
        "max_columns",
        "max_record_bytes",
        "max_field_bytes",
        "limit_sample_rows",
        "heartbeat_timeout_s",
    }
)
"""Settings of `[service]` that a reload changes: new batches are claimed with them. The others hold from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Names of the sections of one kind that came, changed or went."""

    came: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    went: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: Mapping[str, Any], new: Mapping[str, Any]) -> Changed:
        """Compare two tables of sections by their names."""
        return cls(
            came=tuple(sorted(new.keys() - old.keys())),
            changed=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
            went=tuple(sorted(old.keys() - new.keys())),
        )

    def __str__(self) -> str:
        """Return `2 came (a, b), 1 went (c)`; empty where nothing differs."""
        kinds = {"came": self.came, "changed": self.changed, "went": self.went}
        return ", ".join(f"{len(names)} {kind} ({', '.join(names)})" for kind, names in kinds.items() if names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a reload changes."""

    feeds: Changed
    apis: Changed
    settings: tuple[str, ...]
    """Names of settings of `[service]`."""

    @classmethod
    def between(cls, old: Configuration, new: Configuration) -> Changes:
        """Compare two configurations. A secret that is another one in the same place is no change."""
        return cls(
            feeds=Changed.between(_feeds(old), _feeds(new)),
            apis=Changed.between(old.apis, new.apis),
            settings=tuple(sorted(_differing(old, new) & LIVE)),
        )

    def fields(self) -> dict[str, list[str]]:
        """Return what differs, for a log line and an answer: `feeds_came`, ..., `apis_went`, `settings`."""
        kinds = {"feeds": self.feeds, "apis": self.apis}
        named = {f"{kind}_{how}": getattr(each, how) for kind, each in kinds.items() for how in each.__slots__}
        return {name: list(each) for name, each in {**named, "settings": self.settings}.items() if each}


def _feeds(configuration: Configuration) -> dict[str, Any]:
    """Return the feeds with their schemas, which may change in a file of their own."""
    return {name: (feed, configuration.schemas.get(name)) for name, feed in configuration.feeds.items()}


def restart_needed(old: Configuration, new: Configuration) -> list[Finding]:
    """Return a finding for each setting that differs and is only read at the start."""
    if new.file is None:
        raise ValueError("only a file can be loaded anew")
    return [
        Finding(
            file=new.file.name,
            line=new.file.lines.get(("service", name), 0),
            key=f"service.{name}",
            what=f"is {getattr(new.service, name)}, and the service was started with {getattr(old.service, name)}",
            todo="restart batchd, or set it back",
        )
        for name in sorted(_differing(old, new) - LIVE)
    ]


def _differing(old: Configuration, new: Configuration) -> set[str]:
    settings = dict(old.service)
    return {name for name, value in dict(new.service).items() if settings.get(name) != value}
