"""Which name was probably meant, for every message that says that there is none of a name."""

from __future__ import annotations

from collections.abc import Iterable

ALIKE = 0.65
"""How alike two names are, as difflib counts it, for one to be meant by the other: `rum` is run, and `ls` is list."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the one of `known` that `name` was probably meant to be; empty where none is near."""
    import difflib  # noqa: PLC0415 - for what goes wrong; help must not wait for it

    by_letters = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_letters, n=1, cutoff=ALIKE)
    return by_letters[close[0]] if close else ""
