"""Records read many at once by Python's own `csv`, as far as they are sound: several times as fast as one by one.

Only of files written as most are, see `FieldFormat.is_plain`. In its strict mode `csv` and `activities.source.grammar`
take the same records for sound, over any number of lines, and it stops at the first that is not.
"""

from __future__ import annotations

import csv
from io import StringIO
from itertools import islice
from typing import NamedTuple

_TRIED = 32
"""Records after which it is given up to read them as one line each."""


class RowsAtOnce(NamedTuple):
    """The sound records that a text begins with.

    `ends` has for each the number of lines read by its end; None where each is one line. `is_all` says that nothing of
    the text is left.
    """

    rows: list[list[str]]
    ends: list[int] | None
    is_all: bool

    @property
    def lines(self) -> int:
        """How many physical lines they stand on."""
        return self.ends[-1] if self.ends else len(self.rows)


def rows_at_once(text: str, delimiter: str, most: int, *, several_lines: bool = False) -> RowsAtOnce:
    """Read up to `most` records from the beginning of `text`, whole lines, and stop before one that is not sound.

    A blank line, and a quote that the text does not close, are not sound. With `several_lines`, records are expected to
    take more than one line; else they cost twice.
    """
    if not several_lines:
        try:
            reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
            rows = list(islice(reader, min(most, _TRIED)))
            if reader.line_num == len(rows):
                rows += islice(reader, most - len(rows))
            if reader.line_num == len(rows) and all(rows):
                return RowsAtOnce(rows, None, len(rows) < most)
        except csv.Error:
            pass
    return _one_after_another(text, delimiter, most)


def leading_lines_chars(text: str, lines: int) -> int:
    """Return how many characters the first `lines` physical lines of `text` have, with their ends."""
    return sum(map(len, islice(StringIO(text, newline=""), lines)))


def _one_after_another(text: str, delimiter: str, most: int) -> RowsAtOnce:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, ends = list[list[str]](), list[int]()
    try:
        for row in islice(reader, most):
            if not row:
                return RowsAtOnce(rows, ends, is_all=False)
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error:
        return RowsAtOnce(rows, ends, is_all=False)
    return RowsAtOnce(rows, ends, len(rows) < most)
