"""Whether two shell patterns can match the same file name."""

from __future__ import annotations

import fnmatch
import re
from functools import cache

_PARTS = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_OTHERS = "\u00e9\ue000"
"""A letter and a character that no pattern names: what only `?`, `*` and `[!...]` match."""


def overlap(one: str, other: str) -> bool:
    """Return whether a name exists that both patterns match, in any case, as the intake matches them."""
    mine, theirs = _PARTS.findall(one), _PARTS.findall(other)
    letters = sorted({*one.lower(), *other.lower(), *map(chr, range(33, 127)), *_OTHERS} - {"/"})

    @cache
    def share_a_letter(here: str, there: str) -> bool:
        both = [re.compile(fnmatch.translate(each), re.IGNORECASE) for each in (here, there)]
        return any(all(each.fullmatch(letter) for each in both) for letter in letters)

    @cache
    def from_here(at: int, there: int) -> bool:
        if at == len(mine) and there == len(theirs):
            return True
        if at < len(mine) and mine[at].startswith("*"):
            return from_here(at + 1, there) or (there < len(theirs) and from_here(at, there + 1))
        if there < len(theirs) and theirs[there].startswith("*"):
            return from_here(at, there + 1) or (at < len(mine) and from_here(at + 1, there))
        if at == len(mine) or there == len(theirs):
            return False
        return share_a_letter(mine[at], theirs[there]) and from_here(at + 1, there + 1)

    return from_here(0, 0)
