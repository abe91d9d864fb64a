"""Whether the line behind the header goes with it: units, types, a comment."""

from __future__ import annotations

from collections.abc import Sequence

from activities.source.detection.cell_kinds import NO_VALUES, kind_of
from activities.source.detection.first_records import FirstRecords, doubt_of_header

_NEARLY_ALL = 0.9
_LEAST_RECORDS = 3
_ALIKE = 2
_SOON = 3
_TODO = "let one line have the names"


def check_second_line(first: FirstRecords) -> None:
    """Check the record behind the header against those below it.

    Raises:
        DoubtfulDialect: it is most likely a part of the header.
    """
    rows = first.fitting
    if len(rows) <= _LEAST_RECORDS or rows[0] != first.rows[0]:
        return
    second, below = rows[0], rows[1:]
    others = [first.names[0], *(row[0] for row in below)]
    if _is_comment(second[0]) and not any(each.strip().startswith("#") for each in others):
        what = "its second line begins with #, as a comment or a line of types or units does, and no other line does"
        raise doubt_of_header(first, what, "take that line out", comment="#")
    _check_units(first, second, below)


def _check_units(first: FirstRecords, second: Sequence[str], below: Sequence[Sequence[str]]) -> None:
    places = range(len(second))
    if not any(row[at][-1:].isdigit() and not second[at][-1:].isdigit() for row in below[:_SOON] for at in places):
        return  # by far the usual case
    numeric = [at for at in places if sum(kind_of(row[at]) == "number" for row in below) >= _NEARLY_ALL * len(below)]
    worded = [at for at in numeric if second[at].strip().lower() not in NO_VALUES and not kind_of(second[at])]
    empty = [at for at in numeric if not second[at].strip()]
    if len(worded) == len(numeric) >= _ALIKE or (len(worded) > _ALIKE and len(worded) + len(empty) == len(numeric)):
        share = f"{len(worded):,} of {len(numeric):,}" if empty else f"all {len(numeric):,}"
        what = f"its second line has words in {share} columns of numbers, as a header has"
        raise doubt_of_header(first, what, _TODO)


def _is_comment(cell: str) -> bool:
    """Return whether a cell begins as a comment does; `#N/A`, `#REF!` and `#1` do not."""
    text = cell.strip()
    return text.startswith("#") and (text[1:2].isalpha() or text[1:2].isspace()) and text[-1] not in "!?A"
