"""A configuration as people see it: every value with its key and where it comes from, secrets as `(from /path)`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config.configuration import Configuration
from daemon.config.grammar.quantities import CallRate, duration_text
from daemon.config.grammar.section import Section
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.secrets import Secret
from daemon.config.sections.service_section import SERVICE_SETTINGS

DURATIONS = ("max_wait", "for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value that holds now. `plain` is JSON-safe; a secret is only where it comes from."""

    path: KeyPath
    plain: Any
    origin: str

    def text(self) -> str:
        """Return the value as the file writes it; a secret stands as `(from ...)`, one that is not set as `-`."""
        return _text(self.plain)


def values_of(configuration: Configuration) -> tuple[Value, ...]:
    """Return every value that holds, defaults included, in the order of the sections."""
    service = {name: getattr(configuration.service, name) for name in SERVICE_SETTINGS}
    sections: dict[KeyPath, Any] = {("service",): service}
    sections |= {("api", name): section for name, section in configuration.apis.items()}
    sections |= {("feed", name): section for name, section in configuration.feeds.items()}
    return tuple(
        Value(path=path, plain=plain, origin=configuration.origin(path))
        for base, section in sections.items()
        for path, plain in _leaves(base, section)
    )


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the keys below `path` that have a value of their own; a rule, and what only JSON nests, is one value."""
    if isinstance(value, Section) and not isinstance(value, Secret):
        value = {field.alias or name: getattr(value, name) for name, field in type(value).model_fields.items()}
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves((*path, key), each)
    elif isinstance(value, tuple) and value and isinstance(value[0], Section):
        for index, each in enumerate(value):
            yield (*path, index), _plain(each)
    else:
        yield path, _plain(value, str(path[-1]))


def _plain(value: Any, key: str = "") -> Any:
    if isinstance(value, Secret):
        return value.origin
    if isinstance(value, Section):
        given = {field.alias or name: getattr(value, name) for name, field in type(value).model_fields.items()}
        return {name: _plain(each, name) for name, each in given.items() if each not in (None, "")}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Path | CallRate):
        return str(value)
    return duration_text(value) if key in DURATIONS and isinstance(value, float) else value


def _text(plain: Any) -> str:
    if plain is None:
        return "-"
    if isinstance(plain, dict):
        return "{ " + ", ".join(f"{key} = {_text(each)}" for key, each in plain.items()) + " }" if plain else "{}"
    if isinstance(plain, list):
        return "[" + ", ".join(map(_text, plain)) + "]"
    if isinstance(plain, str) and plain.startswith("(from "):
        return plain
    return json.dumps(plain, ensure_ascii=False)
