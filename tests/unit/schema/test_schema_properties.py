"""Any cell of any field: the same verdict, and the same values that equal each other, as by a second reading."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from schema_reference import READERS, Broken, NotOfType, judged, same

from activities.api.mapping.exact_numbers import dumps
from activities.schema.pattern import compile_pattern
from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import parse_schema

quick = settings(max_examples=150, deadline=None)

NUMBERS = st.one_of(
    st.text("0123456789+-., eE", max_size=8),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-2_000, max_value=2_000).map(str),
    st.from_regex(r"[+-]?[0-9]{1,4}(,[0-9]{3})?(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(["NaN", "inf", "-INF", "+Inf", "0", "-0", "00", "1.0", "1", "10e-1", "0.1e1", "1000", "1,000"]),
)
CLOCKS = st.one_of(
    st.text("0123456789:.Z+-", max_size=14),
    st.from_regex(r"([01][0-9]|2[0-4]):[0-6][0-9]:[0-6][0-9](\.[0-9]{1,3})?(Z|[+-](0[0-9]|14):[03]0)?", fullmatch=True),
    st.sampled_from(["24:00:00", "00:00:00Z", "23:00:00-01:00", "00:00:00.0"]),
)
DATES = st.one_of(
    st.text("0123456789-", max_size=11),
    st.from_regex(r"(2024|2023|1900|2000|0000)-(0[1-3]|1[0-3])-([0-2][0-9]|3[01])", fullmatch=True),
    st.sampled_from(["20240229", "2024-W09-4", "2024-2-9", "29/02/2024", "29/02/2023", "1/3/2024", "31/04/2024"]),
)
JSON = st.one_of(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-3, 3),
            st.sampled_from(["", "a", "\u00e9"]),
            st.sampled_from([1.0, 0.5]),
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        max_leaves=5,
    ).map(lambda value: dumps(value).decode()),
    st.text('[]{}":,1a .e', max_size=6),
    st.sampled_from(["[1.0]", "[1]", "[10e-1]", "[true]", '{"a":NaN}', '{"a":1,"b":2}', '{"b":2.0,"a":1}']),
)
TEXTS = st.text("ab1 \u00e9\U0001f600", max_size=5)
CELLS: dict[str, st.SearchStrategy[str]] = {
    "string": TEXTS,
    "any": TEXTS,
    "integer": NUMBERS,
    "number": NUMBERS,
    "boolean": st.sampled_from(["true", "True", "TRUE", "tRUE", "1", "0", "false", "yes", "no", "", " 1"]),
    "date": DATES,
    "time": CLOCKS,
    "datetime": st.builds(lambda day, mark, clock: day + mark + clock, DATES, st.sampled_from(["T", " ", ""]), CLOCKS),
    "year": st.from_regex(r"-?[0-9]{3,6}Z?", fullmatch=True).filter(lambda text: text[-1] != "Z"),
    "yearmonth": st.from_regex(r"-?(0000|2000|1999|12000|0099|200)-(0[0-9]|1[0-3]|5)", fullmatch=True),
    "duration": st.one_of(
        st.text("PT123YMDHS.-", max_size=9),
        st.from_regex(
            r"-?P([0-9]Y)?([0-9]{1,2}M)?([0-9]{1,2}D)?(T([0-9]H)?([0-9]M)?([0-9](\.[0-9])?S)?)?", fullmatch=True
        ),
        st.sampled_from(["P1M", "P30D", "P31D", "P28D", "P1Y", "P12M", "P365D", "PT24H", "P1D", "PT0S", "-PT0S"]),
    ),
    "object": JSON,
    "array": JSON,
    "list": st.text("12ab, ", max_size=6),
}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "integer": [{}, {"groupChar": ","}],
    "number": [{}, {"groupChar": ","}, {"decimalChar": ",", "groupChar": "."}, {"decimalChar": ","}],
    "boolean": [{}, {"trueValues": ["yes", "1"], "falseValues": ["no"]}],
    "date": [{}, {"format": "%d/%m/%Y"}, {"format": "%Y-%m-%d"}],
    "list": [{}, {"itemType": "integer"}, {"delimiter": " "}],
}
WITH_RANGE = {"integer", "number", "date", "time", "datetime", "year", "yearmonth", "duration"}
WITH_LENGTH = {"string", "array", "object", "list"}
PATTERNS = ["a+", "[^a]*", "(ab|a)?.{1,2}", "^a.*$", r"\d+", ".*1|a", "[a-c\u00e9]{2}"]


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """Return a field with what may be one constraint, or two."""
    kind = draw(st.sampled_from(sorted(CELLS)))
    field: dict[str, Any] = {"name": "a", "type": kind, **draw(st.sampled_from(OPTIONS.get(kind, [{}])))}
    constraints: dict[str, Any] = {}
    if draw(st.booleans()):
        constraints["required"] = draw(st.booleans())
    rules = ["enum"] if kind != "list" else []
    if kind in WITH_RANGE:
        rules += ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
    if kind in WITH_LENGTH:
        rules += ["minLength", "maxLength"]
    if kind == "string":
        rules.append("pattern")
    for rule in draw(st.lists(st.sampled_from(rules), max_size=2, unique=True)):
        constraints[rule] = draw(_wanted(rule, field))
    return {**field, "constraints": constraints} if constraints else field


def _wanted(rule: str, field: dict[str, Any]) -> st.SearchStrategy[Any]:
    values = CELLS[field["type"]].filter(lambda cell: _is_value(field, cell))
    if rule == "enum":
        return st.lists(values, min_size=1, max_size=3)
    if rule == "pattern":
        return st.sampled_from(PATTERNS)
    return st.integers(0, 4) if rule.endswith("Length") else values.filter(lambda text: text.lower() != "nan")


def _is_value(field: dict[str, Any], cell: str) -> bool:
    try:
        READERS[field["type"]](field, cell)
    except NotOfType:
        return False
    return True


def _checker(field: dict[str, Any]) -> RowChecker:
    return RowChecker.compile(parse_schema({"fields": [field]}), ["a"], null=None, decimal=".")


@st.composite
def fields_and_cells(draw: st.DrawFn, count: int) -> tuple[dict[str, Any], list[str]]:
    field = draw(fields())
    return field, [draw(CELLS[field["type"]]) for _ in range(count)]


@quick
@given(fields_and_cells(1))
def test_a_cell_breaks_the_rule_that_it_breaks_by_a_second_reading(case: tuple[dict[str, Any], list[str]]) -> None:
    field, [cell] = case
    fault = _checker(field).fault([cell])
    expected = judged(field, cell)
    assert (fault.rule if fault else None) == (expected.rule if isinstance(expected, Broken) else None)


@quick
@given(fields_and_cells(2))
def test_two_cells_have_the_same_key_where_their_values_are_equal(case: tuple[dict[str, Any], list[str]]) -> None:
    field, cells = case
    field = {key: value for key, value in field.items() if key != "constraints"} | {"constraints": {"unique": True}}
    values = [judged(field, cell) for cell in cells]
    if any(isinstance(value, Broken) or value is None for value in values):
        return
    checker = _checker(field)
    keys = [checker.keys([cell]) for cell in cells]
    assert (keys[0] == keys[1]) == same(*values)


@quick
@given(st.sampled_from(["integer", "number"]), NUMBERS)
def test_a_number_in_a_typed_row_is_the_number_of_the_cell(kind: str, cell: str) -> None:
    field = {"name": "a", "type": kind}
    expected = judged(field, cell)
    if isinstance(expected, Fraction):
        written = dumps(_checker(field).typed([cell])["a"]).decode()
        assert Fraction(Decimal(written)) == expected


@quick
@given(fields_and_cells(1))
def test_one_reading_gives_what_fault_and_typed_give(case: tuple[dict[str, Any], list[str]]) -> None:
    field, cells = case
    checker = _checker(field)
    fault, read = checker.fault(cells), checker.read(cells)
    assert read == (fault or checker.typed(cells))


@quick
@given(fields())
def test_the_canonical_form_of_any_schema_is_read_as_the_same(field: dict[str, Any]) -> None:
    schema = parse_schema({"fields": [field]})
    assert parse_schema(schema.canonical()) == schema
    assert parse_schema(schema.canonical()).canonical() == schema.canonical()


@quick
@given(st.from_regex(r"([ab]|\[\^?[ab1]\]|\(a\|b\)|\.)[*+?]?([ab]|\.)?", fullmatch=True), TEXTS)
def test_a_pattern_matches_what_it_matches_in_python_as_a_whole(pattern: str, text: str) -> None:
    assert compile_pattern(pattern)(text) == (re.fullmatch(pattern, text) is not None)
