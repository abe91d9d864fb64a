"""What a cell looks like: a number, a date, an address; nothing where it is a word as a name of a column is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

NO_VALUES = frozenset({"", "-", "--", "na", "n/a", "nan", "null", "none", "nil", ".", "..", "?", "#n/a", "nd", "x"})
"""What stands for no value, in lower case."""

_KINDS = (
    ("number", re.compile(r"[-+(]?[$€£]?\s?[-+]?(?:\d[\d.,' \u00a0\u202f]*|\.\d+)(?:[eE][-+]?\d+)?\s?[%€$£)]?")),
    ("date", re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[ T]\d{1,2}:\d{2}.*)?")),
    ("time", re.compile(r"\d{1,2}:\d{2}(?::\d{2})?.{0,12}")),
    ("e-mail address", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")),
    ("web address", re.compile(r"https?://\S+", re.IGNORECASE)),
    ("identifier", re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)),
)
_SHAPE_DIGITS = 3
_LEAST_ASCENDING = 6
_FIRST_YEAR, _LAST_YEAR = 1500, 2150


def kind_of(cell: str) -> str:
    """Return what a cell is, empty where it is text."""
    text = cell.strip()
    if not text or text.isalpha():
        return ""
    for kind, pattern in reversed(_KINDS):
        if pattern.fullmatch(text):
            return kind
    digits = sum(each.isdigit() for each in text)
    if digits < _SHAPE_DIGITS or " " in text:
        return ""
    return "code " + re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"\d", "0", text)))


def is_year(cell: str) -> bool:
    """Return whether a cell may be a year."""
    text = cell.strip()
    return text.isdecimal() and _FIRST_YEAR <= int(text[:9]) <= _LAST_YEAR


def are_names(numbers: Sequence[str]) -> bool:
    """Return whether numbers in a header may name columns: 0, 1, 2 or years, in order."""
    if all(map(is_year, numbers)):
        found = [int(each) for each in numbers]
        return found in (sorted(set(found)), sorted(set(found), reverse=True))
    try:
        values = [float(each) for each in numbers]
    except ValueError:
        return False
    if values[0] in {0, 1} and values == [values[0] + at for at in range(len(values))]:
        return True
    steps = [second - first for first, second in pairwise(values)]
    return len(steps) > 1 and steps[0] != 0 and all(abs(each - steps[0]) < abs(steps[0]) / 1000 for each in steps)


def are_ascending(cells: Sequence[str]) -> bool:
    """Return whether there are six numbers or more, each above the one before: hardly ever by chance."""
    try:
        values = [float(each) for each in cells]
    except ValueError:
        return False
    return len(values) >= _LEAST_ASCENDING and all(first < second for first, second in pairwise(values))


def shape_of(cell: str) -> str:
    """Return how a cell is written, such as `a.a.0`; empty where it has not both digits and signs between words."""
    shape = re.sub(r"[A-Z]+", "A", re.sub(r"[a-z_]+", "a", re.sub(r"\d+", "0", cell.strip())))
    return shape if "0" in shape and any(each in shape for each in ".-/:") and " " not in shape else ""
