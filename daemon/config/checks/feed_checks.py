"""Rules for feeds that are about more than one key or more than one feed: no file is ever taken by two."""

from __future__ import annotations

import os
from itertools import combinations
from typing import Any

from daemon.config.checks.mistakes import Mistakes
from daemon.config.grammar.globs import overlap
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.nearest_name import nearest

DEFAULT_PATTERN = "*.csv"


def check_feeds(feeds: dict[str, dict[str, Any]], apis: list[str], mistakes: Mistakes) -> None:
    """Add feeds whose API does not exist, and pairs of feeds that would take the same file.

    `feeds` have the keys of `[defaults]` in them.
    """
    for name, feed in feeds.items():
        _check_api(name, feed, apis, mistakes)
    by_inbox: dict[str | None, list[str]] = {}
    for name, feed in feeds.items():
        by_inbox.setdefault(_inbox(feed, mistakes), []).append(name)
    by_inbox.pop(None, None)
    for names in by_inbox.values():
        for first, second in combinations(names, 2):
            _check_patterns(feeds, first, second, mistakes)


def _check_patterns(feeds: dict[str, dict[str, Any]], first: str, second: str, mistakes: Mistakes) -> None:
    one, other = feeds[first], feeds[second]
    if _share_a_name(one, other):
        mistakes.add(
            place_of(second, "inbox", mistakes),
            f"[feed.{second}] would take the same files as [feed.{first}]: the inbox is the same, and a name can "
            f"match both {one.get('pattern', DEFAULT_PATTERN)} and {other.get('pattern', DEFAULT_PATTERN)}",
            todo="give it an inbox or a pattern of its own",
        )


def place_of(feed: str, key: str, mistakes: Mistakes) -> KeyPath:
    """Return where a key of a feed stands: in its own section, or in `[defaults]`."""
    own = ("feed", feed, key)
    return ("defaults", key) if own not in mistakes.file.lines and ("defaults", key) in mistakes.file.lines else own


def _check_api(name: str, feed: dict[str, Any], apis: list[str], mistakes: Mistakes) -> None:
    wanted = feed.get("api", "")
    if wanted == "" and len(apis) > 1:
        todo = f"set it to one of {', '.join(apis)}"
        mistakes.add(place_of(name, "api", mistakes), "is missing, and there is more than one API", todo=todo)
    elif wanted and isinstance(wanted, str) and wanted not in apis:
        close = nearest(wanted, apis)
        todo = "" if close else f"there is {', '.join(apis)}" if apis else f"add the section [api.{wanted}]"
        mistakes.add(place_of(name, "api", mistakes), f"there is no [api.{wanted}]", nearest=close, todo=todo)


def _inbox(feed: dict[str, Any], mistakes: Mistakes) -> str | None:
    inbox = feed.get("inbox")
    return os.path.realpath(mistakes.file.folder / inbox) if isinstance(inbox, str) and inbox.strip() else None


def _share_a_name(one: dict[str, Any], other: dict[str, Any]) -> bool:
    patterns = [each.get("pattern", DEFAULT_PATTERN) for each in (one, other)]
    return all(isinstance(each, str) for each in patterns) and overlap(*patterns)
