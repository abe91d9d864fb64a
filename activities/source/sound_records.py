"""The ends of the next records, many found at once, where nothing about them is in doubt.

Sound is a record of plain form that ends with a line end and has quotes only around fields, and doubled inside them.
All else is left to the walk record by record, which gives the same borders.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate

from activities.source.grammar import Grammar

MOST_UNITS = 65_536
"""Looked at, and remembered, at a time."""

_LEAST_SHARE = 8
"""What is found must be at least one part in so many of what was looked at; else more records go one by one."""

_MOST_ONE_BY_ONE = 4_096


class SoundRecords:
    """What is known of the records ahead in the units last seen. Work is linear in the file, whatever stands there."""

    def __init__(self, grammar: Grammar) -> None:
        self._is_plain = grammar.is_plain
        self._limit = min(grammar.max_record_units, MOST_UNITS)
        self._pattern = _sound_pattern(grammar.fields.delimiter) if self._is_plain else None
        self._units = b""
        self._ends: list[int] = []
        self._next = 0
        self._wait, self._waited = 1, 1

    def pass_some(self, units: bytes, start: int, *, most: int, end: int) -> tuple[int, int]:
        """Return how many sound records follow from the record start `start` on, and where the last of them ends.

        They are `most` at most and end before `end`; 0 does not mean that there is none. Blank lines behind a record
        count as its own.
        """
        if self._pattern is None or not self._is_known(units, start):
            return 0, start
        first = self._next
        last = min(first + most, len(self._ends) - 1)
        while last > first and self._ends[last] >= end:
            last -= 1
        self._next = last
        return last - first, self._ends[last]

    def _is_known(self, units: bytes, start: int) -> bool:
        if units is self._units and self._next < len(self._ends) - 1 and self._ends[self._next] == start:
            return True
        if self._waited < self._wait:
            self._waited += 1
            return False
        self._look(units, start)
        return len(self._ends) > 1

    def _look(self, units: bytes, start: int) -> None:
        end = min(len(units), start + self._limit)
        found = self._pattern.findall(units, start, end) if self._pattern else []
        if found and not found[-1]:
            found.pop()
        self._units, self._next = units, 0
        self._ends = list(accumulate(map(len, found), initial=start))
        few = (self._ends[-1] - start) * _LEAST_SHARE < end - start
        self._wait, self._waited = min(2 * self._wait, _MOST_ONE_BY_ONE) if few else 1, 0


@lru_cache(maxsize=64)
def _sound_pattern(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a sound record with the blank lines behind it (group 1), or of all the rest (empty)."""
    separator = re.escape(delimiter)
    bare = rf"[^\"{separator}\r\n]*+"
    field = f'(?:"[^"]*+(?:""[^"]*+)*+"|{bare})'
    line = r"[^\"\r\n]++[\r\n]++"
    record = rf"(?![\r\n]){field}(?:{separator}{field})*+[\r\n]++"
    return re.compile(rf"({line}|{record})|[\s\S]++".encode("latin-1"))
