"""Files of variables, read as systemd reads those of `EnvironmentFile=` (systemd.exec(5))."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ESCAPED_IN_QUOTES = frozenset('"\\`$\n')


def variables(text: str) -> dict[str, str]:
    """Return the variables that a file gives; of one that it gives twice, the last. Other lines are left out."""
    found = {}
    rest = text
    while rest:
        line, rest = _line(rest)
        name, equals, value = line.partition("=")
        if equals and line[:1] not in {"#", ";"} and NAME.fullmatch(name.strip()):
            found[name.strip()] = _value(value.strip(" \t"))
    return found


def _line(text: str) -> tuple[str, str]:
    """Return the first line, over line ends within quotes or behind a backslash, and what is behind it."""
    if text.lstrip(" \t")[:1] in {"#", ";"}:
        line, _, rest = text.partition("\n")
        return line.strip(), rest
    quote, at = "", 0
    while at < len(text):
        here = text[at]
        if here == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if here == quote else quote
        elif here in "\"'":
            quote = here
        elif here == "\n":
            break
        at += 1
    return text[:at].strip(" \t\n"), text[at + 1 :]


def _value(text: str) -> str:
    made, quote, at = [], "", 0
    while at < len(text):
        here = text[at]
        after = text[at + 1 : at + 2]
        if here == "\\" and quote != "'":
            at += 1
            if quote and after not in ESCAPED_IN_QUOTES:
                made.append(here)
            made.append("" if after == "\n" else after)
        elif quote and here == quote:
            quote = ""
        elif not quote and here in "\"'":
            quote = here
        else:
            made.append(here)
        at += 1
    return "".join(made)
