"""Whether the first record is a header: no data, no title, of the width of the records, with names in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from activities.source.detection.cell_kinds import NO_VALUES, are_ascending, are_names, is_year, kind_of, shape_of
from activities.source.detection.doubt import DoubtfulDialect, FeedValue
from activities.source.detection.first_records import FirstRecords, doubt_of_header
from activities.source.detection.second_lines import check_second_line
from activities.source.parser import BadRecord, FieldSplitter

_MOST = 0.8
_MANY, _FEW = 0.7, 0.25
_LEAST_RECORDS = 3
_ALIKE = 2
_NAMES_MISSING = "put a line of names before it"


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
        check_second_line(first)


def _check_lone_data(first: FirstRecords) -> None:
    kinds = {kind_of(name) for name in first.names}
    if len(first.names) > 1 and "" not in kinds and not are_names(first.names):
        what = "its only record has values alone, and no names"
        raise doubt_of_header(first, what, _NAMES_MISSING, header=False)


def _check_title(first: FirstRecords) -> None:
    filled = [each for each in first.names if each.strip()]
    if len(filled) > 1 or len(first.texts) < _LEAST_RECORDS:
        return
    if len(first.names) > 1:
        wide = sum(sum(bool(each.strip()) for each in row) > 1 for row in first.rows)
        if len(first.names) > _ALIKE and wide >= _MOST * len(first.rows):
            raise _title(first, first.delimiter, len(first.names))
        return
    for delimiter in (first.delimiter, *",;\t|"):
        widths = _widths(first, delimiter)
        # A second line of title, a blank one, may stand before the records.
        width, count = max(widths.items(), key=lambda each: each[1], default=(0, 0))
        if width > 1 and count >= _MOST * (widths.total() - 1) and delimiter not in first.header:
            raise _title(first, delimiter, width)
    if first.header.startswith("#") and first.texts[0].startswith("#"):
        what = "its first lines begin with #, as comments do"
        raise doubt_of_header(first, what, "take the lines before the header out", comment="#")


def _widths(first: FirstRecords, delimiter: str) -> Counter[int]:
    """Return how many records have so many fields. Below a comment, other comments are none."""
    splitter = FieldSplitter(replace(first.fields, delimiters=(delimiter,)))
    texts = [each for each in first.texts if not (_is_comment(first.header) and _is_comment(each))]
    return Counter(_width(splitter, each) for each in texts)


def _is_comment(text: str) -> bool:
    return text.lstrip(' \t"').startswith("#")


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
    raise doubt_of_header(
        first, what, "give the header as many fields as the records, or take out what stands before it"
    )


def _check_empty_names(first: FirstRecords) -> None:
    rows = first.fitting
    empty = [at for at, name in enumerate(first.names) if not name.strip() and any(row[at].strip() for row in rows)]
    if len(empty) >= _ALIKE and 2 * len(empty) >= len(first.names):
        what = f"{len(empty):,} of {len(first.names):,} columns with values have no name"
        raise doubt_of_header(first, what, "name them, or take out what stands before the header")


def _check_data(first: FirstRecords) -> None:
    rows = first.fitting
    kinds = [kind_of(name) for name in first.names]
    columns = list(zip(*rows, strict=True)) or [()] * len(first.names)
    alike = [at for at, kind in enumerate(kinds) if kind and _are_alike(kind, columns[at])]
    numbers = [name for name, kind in zip(first.names, kinds, strict=True) if kind == "number"]
    if numbers and (are_names(numbers) or _are_scale(first, kinds)):
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
        raise doubt_of_header(
            first, what.replace("a e-", "an e-").replace("a id", "an id"), _NAMES_MISSING, header=False
        )
    shapes = [shape_of(name) for name in first.names]
    if len(shapes) > 1 and all(_have_shape(shape, columns[at]) for at, shape in enumerate(shapes)):
        what = f"its first record is written as those below in all {len(shapes):,} columns, with digits and signs"
        raise doubt_of_header(first, f"{what}, so it is most likely no header", _NAMES_MISSING, header=False)
    repeated = [
        at
        for at, name in enumerate(first.names)
        if name.strip().lower() not in NO_VALUES and columns[at].count(name) >= _ALIKE
    ]
    if len(repeated) >= _ALIKE and len(repeated) == len(first.names):
        what = f"{len(repeated):,} of its names are values of their columns too, so it is most likely no header"
        raise doubt_of_header(first, what, _NAMES_MISSING, header=False)


def _are_alike(kind: str, values: Sequence[str]) -> bool:
    """Return whether nearly all values that there are have a kind."""
    kinds = [kind_of(each) for each in values if each.strip().lower() not in NO_VALUES]
    return bool(kinds) and kinds.count(kind) >= _MOST * len(kinds)


def _are_scale(first: FirstRecords, kinds: Sequence[str]) -> bool:
    """Return whether the numbers of the header are a scale: they ascend, and those of hardly a record do."""
    at_numbers = [at for at, kind in enumerate(kinds) if kind == "number"]
    if not are_ascending([first.names[at] for at in at_numbers]):
        return False
    rows = first.fitting
    return sum(are_ascending([row[at] for at in at_numbers if row[at].strip()]) for row in rows) <= _FEW * len(rows)


def _have_shape(shape: str, values: Sequence[str]) -> bool:
    filled = [each for each in values if each.strip()]
    return bool(shape and filled) and sum(shape_of(each) == shape for each in filled) >= _MOST * len(filled)


def _title(first: FirstRecords, delimiter: str, width: int) -> DoubtfulDialect:
    what = f"its first line has one field, as a title has, and the records below have {width:,}"
    wide = [at for at, text in enumerate(first.texts) if _is_wide(first, delimiter, width, text)]
    keys: dict[str, FeedValue] = {"skip_lines": first.lines[wide[0]] - 1} if wide else {}
    comments = [at for at, text in enumerate(first.texts) if text.startswith("#")]
    if first.header.startswith("#") and comments and not set(comments) & set(wide):
        keys = {"comment": "#"}
    return doubt_of_header(first, what, "take the lines before the header out", **keys)


def _is_wide(first: FirstRecords, delimiter: str, width: int, text: str) -> bool:
    return _width(FieldSplitter(replace(first.fields, delimiters=(delimiter,))), text) == width
