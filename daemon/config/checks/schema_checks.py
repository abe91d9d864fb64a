"""The Table Schemas of feeds: each must be one that can be used, wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import InvalidSchema, parse_schema
from activities.source.header import columns
from daemon.config.checks.mistakes import Mistakes
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.schema_text import schema_text
from workflows.errors import InvalidCsv, SettingsError

NEEDS_SCHEMA = ("null", "decimal")
"""Keys that say how a schema reads cells."""


def check_schemas(mistakes: Mistakes, *, files: bool) -> None:
    """Add everything that is wrong with schemas; those in files are read where `files` says so."""
    for path, given, decimal in _schemas(mistakes.file.document):
        if isinstance(given, dict) or (files and isinstance(given, str) and given.strip()):
            _check(path, given, decimal, mistakes)
    _check_needed(mistakes)


def _check(path: KeyPath, given: str | dict[str, Any], decimal: str, mistakes: Mistakes) -> None:
    try:
        text = schema_text(given if isinstance(given, dict) else mistakes.file.folder / given, decimal)
        _compile(text, decimal)
    except InvalidSchema as error:
        for each in error.findings:
            if isinstance(given, dict):
                mistakes.add((*path, *_steps(each.place)), each.problem)
            else:
                mistakes.add(path, f"{given}: {each}")
    except SettingsError as error:
        mistakes.add(path, str(error))


def _compile(text: str, decimal: str) -> None:
    """Compile a schema for a file that has its columns and no others.

    Raises:
        InvalidSchema: it contradicts the decimal separator.
    """
    schema = parse_schema(text, decimal=decimal)
    with suppress(InvalidCsv):
        RowChecker.compile(schema, columns([each.name for each in schema.fields]), null=None, decimal=decimal)


def _check_needed(mistakes: Mistakes) -> None:
    """Add keys of a feed that only a schema acts upon, where it has none."""
    document = mistakes.file.document
    defaults = _table(document, "defaults")
    for name in (feeds := _table(document, "feed")):
        feed = _table(feeds, name)
        if "schema" not in feed and "schema" not in defaults:
            for key in (each for each in NEEDS_SCHEMA if each in feed):
                mistakes.add(("feed", name, key), "says how a schema reads cells, and there is none", todo="set schema")


def _schemas(document: dict[str, Any]) -> Iterator[tuple[KeyPath, Any, str]]:
    """Yield each schema with its place, and the decimal separator that holds there."""
    defaults = _table(document, "defaults")
    yield ("defaults", "schema"), defaults.get("schema"), _decimal(defaults)
    for name in (feeds := _table(document, "feed")):
        feed = _table(feeds, name)
        yield ("feed", name, "schema"), feed.get("schema"), _decimal({**defaults, **feed})


def _decimal(feed: dict[str, Any]) -> str:
    return "," if feed.get("decimal") == "," else "."


def _steps(place: str) -> KeyPath:
    """Return the place of a finding as a path of keys."""
    return tuple(int(step) if step.isdecimal() else step for step in re.findall(r"[^.\[\]]+", place))


def _table(around: dict[str, Any], key: str) -> dict[str, Any]:
    found = around.get(key)
    return found if isinstance(found, dict) else {}
