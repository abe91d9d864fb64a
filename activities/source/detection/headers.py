"""Whether the first record is a header: no data, no title, of the width of the records, with names in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from activities.source.detection.cell_kinds import NO_VALUES, are_names, is_year, kind_of
from activities.source.detection.doubt import DoubtfulDialect, FeedValue, cells_as_text
from activities.source.detection.first_records import FirstRecords
from activities.source.parser import BadRecord, FieldSplitter

_NEARLY_ALL = 0.9
_MOST = 0.8
_MANY, _FEW = 0.7, 0.25
_LEAST_RECORDS = 3
_ALIKE = 2
_OTHERS = (",", ";", "\t", "|", ":", "^", "~", "\x1f", "\x01", "*", "#")
_NAMES = {"\t": "tabs", " ": "spaces", ",": "commas", ";": "semicolons", "|": "vertical bars", ":": "colons"}


def check_header(first: FirstRecords) -> None:
    """Check the first record against those below it.

    Raises:
        DoubtfulDialect: it is most likely not the header.
    """
    if not first.rows:
        _check_lone_data(first)
    else:
        _check_title(first)
        check_width(first)
        _check_empty_names(first)
        _check_data(first)
        _check_second_line(first)


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
    words = [each.split() for each in texts]
    numbers = all(kind_of(each) == "number" for row in words[1:] for each in row)
    if numbers and len(words[0]) > 1 and all(len(each) == len(words[0]) for each in words):
        raise _separator(f"it has one column as it is read, and {len(words[0])} where spaces separate them")


def _check_lone_data(first: FirstRecords) -> None:
    kinds = {kind_of(name) for name in first.names}
    if len(first.names) > 1 and "" not in kinds and not are_names(first.names):
        what = "its only record has values alone, and no names"
        raise _doubt(first, what, "put a line of names before it", header=False)


def _check_title(first: FirstRecords) -> None:
    filled = [each for each in first.names if each.strip()]
    if len(filled) > 1 or len(first.texts) < _LEAST_RECORDS:
        return
    if len(first.names) > 1:
        wide = sum(sum(bool(each.strip()) for each in row) > 1 for row in first.rows)
        if len(first.names) > _ALIKE and wide >= _MOST * len(first.rows):
            raise _title(first, first.delimiter)
        return
    for delimiter in (first.delimiter, *",;\t|"):
        widths = _widths(first, delimiter)
        # A second line of title, a blank one, may stand before the records.
        width, count = widths.most_common(1)[0]
        if width > 1 and count >= _MOST * (len(first.texts) - 1) and delimiter not in first.header:
            raise _title(first, delimiter)


def _widths(first: FirstRecords, delimiter: str) -> Counter[int]:
    splitter = FieldSplitter(replace(first.fields, delimiters=(delimiter,)))
    return Counter(_width(splitter, each) for each in first.texts)


def _width(splitter: FieldSplitter, text: str) -> int:
    try:
        return len(splitter.split(text))
    except BadRecord:
        return 0


def check_width(first: FirstRecords) -> None:
    """Check that there is a name for each field of the records.

    Raises:
        DoubtfulDialect: there most likely is not.
    """
    widths = Counter(len(row) for row in first.rows if row)
    if len(first.rows) < _LEAST_RECORDS or not widths:
        return
    width, count = widths.most_common(1)[0]
    sharing = widths[len(first.names)]
    if width == len(first.names) or count < _MANY * len(first.rows) or sharing > _FEW * len(first.rows):
        return
    what = f"its header has {len(first.names):,} fields and most records have {width:,}"
    if width == len(first.names) + 1 and all(not row[-1] for row in first.rows if len(row) == width):
        what += ", of which the last is empty"
    raise _doubt(first, what, "give the header as many fields as the records, or take out what stands before it")


def _check_empty_names(first: FirstRecords) -> None:
    rows = first.fitting
    empty = [at for at, name in enumerate(first.names) if not name.strip() and any(row[at].strip() for row in rows)]
    if len(empty) >= _ALIKE and 2 * len(empty) >= len(first.names):
        what = f"{len(empty):,} of {len(first.names):,} columns with values have no name"
        raise _doubt(first, what, "name them, or take out what stands before the header")


def _check_data(first: FirstRecords) -> None:
    rows = first.fitting
    kinds = [kind_of(name) for name in first.names]
    columns = list(zip(*rows, strict=True)) or [()] * len(first.names)
    alike = [at for at, kind in enumerate(kinds) if kind and _are_alike(kind, columns[at])]
    numbers = [name for name, kind in zip(first.names, kinds, strict=True) if kind == "number"]
    if numbers and are_names(numbers):
        alike = [
            at
            for at in alike
            if kinds[at] != "number"
            or (len(numbers) <= _ALIKE and is_year(first.names[at]) and all(map(is_year, columns[at])))
        ]
    if alike:
        name = first.names[alike[0]]
        kind = kind_of(name).split(" 0")[0].split(" A")[0].split(" a")[0]
        kind = kind if kind in {"number", "date", "time", "e-mail address", "web address", "identifier"} else "code"
        more = f", as in {len(alike):,} columns" if len(alike) > 1 else ""
        what = f"its first record has a {kind} where the records below have one{more}, so it is most likely no header"
        raise _doubt(
            first, what.replace("a e-", "an e-").replace("a id", "an id"), "put a line of names before it", header=False
        )
    repeated = [
        at
        for at, name in enumerate(first.names)
        if name.strip().lower() not in NO_VALUES and columns[at].count(name) >= _ALIKE
    ]
    if len(repeated) >= _ALIKE and len(repeated) == len(first.names):
        what = f"{len(repeated):,} of its names are values of their columns too, so it is most likely no header"
        raise _doubt(first, what, "put a line of names before it", header=False)


def _are_alike(kind: str, values: Sequence[str]) -> bool:
    """Return whether nearly all values that there are have a kind."""
    kinds = [kind_of(each) for each in values if each.strip().lower() not in NO_VALUES]
    return bool(kinds) and kinds.count(kind) >= _MOST * len(kinds)


def _check_second_line(first: FirstRecords) -> None:
    rows = first.fitting
    if len(rows) <= _LEAST_RECORDS or rows[0] != first.rows[0]:
        return
    second, below = rows[0], rows[1:]
    last = range(len(first.names))
    if not any(below[0][at][-1:].isdigit() and not second[at][-1:].isdigit() for at in last):
        return  # by far the usual case
    numeric = [at for at in last if sum(kind_of(row[at]) == "number" for row in below) >= _NEARLY_ALL * len(below)]
    worded = [at for at in numeric if second[at].strip().lower() not in NO_VALUES and not kind_of(second[at])]
    if len(worded) >= _ALIKE and len(worded) == len(numeric):
        what = f"its second line has words in all {len(numeric):,} columns of numbers, as a header has"
        raise _doubt(first, what, "let one line have the names")


def _title(first: FirstRecords, delimiter: str) -> DoubtfulDialect:
    width = max(_widths(first, delimiter).items(), key=lambda each: each[1])[0]
    what = f"its first line has one field, as a title has, and the records below have {width:,}"
    wide = (
        line for line, text in zip(first.lines, first.texts, strict=True) if _is_wide(first, delimiter, width, text)
    )
    return _doubt(first, what, "take the lines before the header out", skip_lines=next(wide) - 1)


def _is_wide(first: FirstRecords, delimiter: str, width: int, text: str) -> bool:
    return _width(FieldSplitter(replace(first.fields, delimiters=(delimiter,))), text) == width


def _doubt(first: FirstRecords, what: str, todo: str, **keys: FeedValue) -> DoubtfulDialect:
    below = next((row for row in first.rows if row), ())
    shown = f"{what} (as the header: {cells_as_text(first.names)}; below it: {cells_as_text(below)})"
    return DoubtfulDialect("header", shown, logged=what, todo=todo, keys=keys)


def _separator(what: str, delimiter: str = "") -> DoubtfulDialect:
    keys = {"delimiter": delimiter} if delimiter else {}
    todo = "separate its fields with commas, semicolons or tabs"
    return DoubtfulDialect("delimiter", what, logged=what, todo=todo, keys=keys)
