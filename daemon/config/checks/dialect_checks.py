"""Rules for the keys of a feed that say how its files are written: no mark may mean two things."""

from __future__ import annotations

from typing import Any

from daemon.config.checks.feed_checks import place_of
from daemon.config.checks.mistakes import Mistakes


def check_dialect(name: str, feed: dict[str, Any], mistakes: Mistakes) -> None:
    """Add what contradicts itself in how the files of a feed are written; `feed` has the keys of `[defaults]`."""
    _check_delimiter(name, feed, mistakes)


def _check_delimiter(name: str, feed: dict[str, Any], mistakes: Mistakes) -> None:
    delimiter, quote = _text(feed, "delimiter", "auto"), _text(feed, "quote", "auto")
    quote = '"' if quote == "auto" else quote
    if quote and quote in delimiter:
        todo = "separate fields by something else, or set another quote"
        mistakes.add(place_of(name, "delimiter", mistakes), "has the quote in it", todo=todo)
    escape = _text(feed, "escape", "")
    if escape and escape in delimiter:
        todo = "separate fields by something else, or take escape out"
        mistakes.add(place_of(name, "delimiter", mistakes), "has the escape character in it", todo=todo)


def _text(feed: dict[str, Any], key: str, default: str) -> str:
    value = feed.get(key, default)
    return value if isinstance(value, str) else default
