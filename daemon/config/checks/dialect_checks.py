"""Rules for the keys of a feed that say how its files are written: no mark means two things, no name is there twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activities.source.delimiter import DELIMITERS
from activities.source.field_format import DEFAULT_QUOTE
from daemon.config.checks.feed_checks import place_of
from daemon.config.checks.mistakes import Mistakes
from workflows.models import RESERVED

_BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a feed says, where it is of the right type; the rest is another check's."""

    delimiters: tuple[str, ...]
    quote: str
    escape: str
    comment: str
    trims: bool

    @classmethod
    def of(cls, feed: dict[str, Any]) -> _Marks:
        delimiter, quote = _text(feed, "delimiter", "auto"), _text(feed, "quote", "auto")
        known = {"auto": DELIMITERS, "tab": ("\t",)}
        return cls(
            delimiters=known.get(delimiter, (delimiter,)),
            quote=DEFAULT_QUOTE if quote == "auto" else quote,
            escape=_text(feed, "escape", ""),
            comment=_text(feed, "comment", ""),
            trims=feed.get("trim") is True,
        )


def check_dialect(name: str, feed: dict[str, Any], mistakes: Mistakes) -> None:
    """Add what contradicts itself in how the files of a feed are written; `feed` has the keys of `[defaults]`."""
    marks = _Marks.of(feed)
    for key, what, todo in [*_of_delimiter(marks), *_of_comment(marks), *_of_names(feed)]:
        mistakes.add(place_of(name, key, mistakes), what, todo=todo)
    if feed.get("bare_quotes") == "reject" and not marks.quote:
        place = place_of(name, "bare_quotes", mistakes)
        mistakes.add(place, 'is "reject" where no character is a quote', todo="take it out, or set quote")


def _of_delimiter(marks: _Marks) -> list[tuple[str, str, str]]:
    found = []
    if marks.quote and any(marks.quote in each for each in marks.delimiters):
        found.append(("delimiter", "has the quote in it", "separate fields by something else, or set another quote"))
    if marks.escape and any(marks.escape in each for each in marks.delimiters):
        todo = "separate fields by something else, or take escape out"
        found.append(("delimiter", "has the escape character in it", todo))
    if marks.trims and any(each not in DELIMITERS and each != each.strip(_BLANKS) for each in marks.delimiters):
        todo = "take the space out of the delimiter, or take trim out"
        found.append(("delimiter", "begins or ends with a space or a tab, which trim leaves out", todo))
    return found


def _of_comment(marks: _Marks) -> list[tuple[str, str, str]]:
    comment = marks.comment
    if not comment:
        return []
    if any(each in comment for each in "\r\n\0"):
        return [("comment", "has a line end in it", "set what such lines begin with")]
    if any(comment.startswith(each) or each.startswith(comment) for each in marks.delimiters):
        what = "begins as what separates fields, so a record whose first field is empty would be a comment"
        return [("comment", what, "set delimiter to another one, or comment to more of what such lines begin with")]
    if comment.startswith(marks.quote or "\n"):
        return [
            ("comment", "begins with the quote, so a quoted field would be a comment", "set another quote, or none")
        ]
    return []


def _of_names(feed: dict[str, Any]) -> list[tuple[str, str, str]]:
    names = feed.get("header")
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        return []
    if not names or not all(names):
        return [("header", "has a column without a name", "name them all, or set header = false to number them")]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        return [("header", f"has the name {twice[0]} more than once", "name each column differently")]
    reserved = sorted(RESERVED.intersection(names))
    if reserved:
        return [
            ("header", f"has the name {reserved[0]}, which rows have for themselves", "name the column differently")
        ]
    required = feed.get("required_columns")
    missing = [each for each in required if each not in names] if isinstance(required, list) else []
    if missing:
        todo = "name it in header, or take it out of required_columns"
        return [("header", f"lacks the required column {missing[0]}", todo)]
    return []


def _text(feed: dict[str, Any], key: str, default: str) -> str:
    value = feed.get(key, default)
    return value if isinstance(value, str) else default
