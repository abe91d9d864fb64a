"""Whether another separator fits a file than the one by which it is read."""

from __future__ import annotations

from activities.source.detection.cell_kinds import kind_of
from activities.source.detection.doubt import DoubtfulDialect
from activities.source.detection.first_records import FirstRecords

_LEAST_RECORDS = 3
_ALIKE = 2
_OTHERS = (",", ";", "\t", "|", ":", "^", "~", "\x1f", "\x01", "*", "#")
_NAMES = {"\t": "tabs", " ": "spaces", ",": "commas", ";": "semicolons", "|": "vertical bars", ":": "colons"}


def check_separator(first: FirstRecords) -> None:
    """Check that no separator fits the file that is not the one by which it is read.

    Raises:
        DoubtfulDialect: another one plainly fits.
    """
    texts = [first.header, *(each for each in first.texts if each)]
    if len(texts) < _LEAST_RECORDS:
        return
    double = 2 * first.delimiter
    if all(each.count(first.delimiter) == 2 * each.count(double) for each in texts) and double in first.header:
        raise _separator(f"its separator is {double} and not {first.delimiter}: every second column is empty", double)
    if len(first.names) > 1 or '"' in first.header:
        return
    for other in _OTHERS:
        count = first.header.count(other)
        if count and all(each.count(other) == count for each in texts):
            shown = _NAMES.get(other, ascii(other))
            raise _separator(f"it has one column as it is read, and {count + 1} where {shown} separate them", other)
    width = _width_by_spaces([each.split() for each in texts])
    if width:
        raise _separator(f"it has one column as it is read, and {width} where spaces separate them")


def _width_by_spaces(lines: list[list[str]]) -> int:
    """Return how many columns there are by runs of spaces; 0 where they are no columns.

    All records have as many words, and most of their columns are numbers. The header may lack the first name.
    """
    names, rows = lines[0], lines[1:]
    width = len(rows[0])
    if len(names) < _ALIKE or any(len(row) != width for row in rows):
        return 0
    numbers = sum(all(kind_of(each) == "number" for each in column) for column in zip(*rows, strict=True))
    if numbers == width == len(names):
        return width
    is_most = 2 * numbers >= width and len(names) > _ALIKE and not any(kind_of(name) == "number" for name in names)
    return width if is_most and len(names) in {width, width - 1} else 0


def _separator(what: str, delimiter: str = "") -> DoubtfulDialect:
    keys = {"delimiter": delimiter} if delimiter else {}
    todo = "separate its fields with commas, semicolons or tabs"
    return DoubtfulDialect("delimiter", what, logged=what, todo=todo, keys=keys)
