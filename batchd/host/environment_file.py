"""Files of variables, read as systemd reads those of `EnvironmentFile=` (systemd.exec(5))."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_START = re.compile(r"[ \t\r\n]*(?:[#;][^\r\n]*|(?P<name>[^ \t\r\n#;][^\r\n=]*)(?P<equals>=?))")
_QUOTED = re.compile(r"""[ \t]*(?:'(?P<single>[^']*)(?:'|\Z)|"(?P<double>(?:\\.|[^"\\])*)\\?(?:"|\Z))""", re.DOTALL)
"""Quotes mean something at the beginning of a value and behind other quotes alone."""
_PLAIN = re.compile(r"[ \t]*(?P<plain>(?:\\.|\\\Z|[^\\\r\n])*?)[ \t]*(?=[\r\n]|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([\\"`$\n])')


def variables(text: str) -> dict[str, str]:
    """Return the variables that a file gives; of one that it gives twice, the last. Other lines are left out.

    A comment ends with its line, also behind a backslash: systemd before 254 lets the next line belong to it.
    """
    found, at = {}, 0
    while start := _START.match(text, at):
        at = start.end()
        if start["equals"]:
            value, at = _value(text, at)
            if NAME.fullmatch(name := start["name"].strip(" \t")):
                found[name] = value
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at `at`, and where it ends."""
    made = ""
    while quoted := _QUOTED.match(text, at):
        made += quoted["single"] or _ESCAPED_IN_QUOTES.sub(_kept, quoted["double"] or "")
        at = quoted.end()
    plain = _PLAIN.match(text, at)
    assert plain is not None  # noqa: S101 - it matches the empty text too
    return made + _ESCAPED.sub(_kept, plain["plain"]), plain.end()


def _kept(escaped: re.Match[str]) -> str:
    """Return what is behind a backslash; a line end goes with it."""
    return escaped[1].strip("\r\n")
