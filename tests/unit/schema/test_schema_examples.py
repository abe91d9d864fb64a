"""The tables that the specification and its own programs publish, with the rows that they call invalid."""

from __future__ import annotations

from typing import Any

import pytest

from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import parse_schema

ID, NAME = {"name": "id", "type": "integer"}, {"name": "name", "type": "string"}


def invalid(schema: dict[str, Any], table: str) -> list[tuple[int, str, str]]:
    """Return row, column and rule of what does not fit: first by the rows alone, then by those before."""
    header, *rows = [line.split("|") for line in table.split()]
    checker = RowChecker.compile(parse_schema(schema), header, null=None, decimal=".")
    faults = {key.name: key.fault for key in checker.unique_keys}
    seen: set[tuple[str, bytes]] = set()
    found = []
    for number, row in enumerate(rows, start=1):
        fault = checker.fault(row)
        if fault is None:
            repeated = [faults[name] for name, value in checker.keys(row) if (name, value) in seen]
            seen.update(checker.keys(row))
            fault = repeated[0] if repeated else None
        if fault is not None:
            found.append((number, *fault))
    return found


@pytest.mark.parametrize(
    ("constraints", "table", "expected"),
    [
        ({"required": True}, "id|name 1|apple 2|", [(2, "name", "required")]),
        ({"unique": True}, "id|name 1|apple 2|apple", [(2, "name", "unique")]),
        ({"minLength": 5}, "id|name 1|apple 2|plum", [(2, "name", "minLength")]),
        ({"maxLength": 5}, "id|name 1|apple 2|grapefruit", [(2, "name", "maxLength")]),
        ({"pattern": "^a.*$"}, "id|name 1|apple 2|orange", [(2, "name", "pattern")]),
        ({"enum": ["apple"]}, "id|name 1|apple 2|orange", [(2, "name", "enum")]),
    ],
)
def test_the_examples_of_the_constraints_of_text(
    constraints: dict[str, Any], table: str, expected: list[tuple[int, str, str]]
) -> None:
    assert invalid({"fields": [ID, {**NAME, "constraints": constraints}]}, table) == expected


@pytest.mark.parametrize(
    ("rule", "bound", "second"),
    [("minimum", 100, 50), ("maximum", 100, 150), ("exclusiveMinimum", 0, 0), ("exclusiveMaximum", 150, 150)],
)
def test_the_examples_of_the_constraints_of_numbers(rule: str, bound: int, second: int) -> None:
    price = {"name": "price", "type": "integer", "constraints": {rule: bound}}
    table = f"id|name|price 1|apple|100 2|orange|{second}"
    assert invalid({"fields": [ID, NAME, price]}, table) == [(2, "price", rule)]


def test_the_example_of_missing_values_of_a_field() -> None:
    fields = [{"name": "column1"}, {"name": "column2", "missingValues": ["-"]}]
    checker = RowChecker.compile(
        parse_schema({"fields": fields, "missingValues": ["", "NA"]}), ["column1", "column2"], null=None, decimal="."
    )
    rows = [["", "-"], ["NA", "NA"], ["-", ""]]
    assert [list(checker.typed(row).values()) for row in rows] == [[None, None], [None, "NA"], ["-", ""]]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ({"type": "string", "categories": ["apple", "orange", "banana"]}, "apple", "Apple"),
        ({"type": "integer", "categories": [{"value": 0, "label": "apple"}, {"value": 1}]}, "1", "2"),
    ],
)
def test_the_examples_of_categories(field: dict[str, Any], good: str, bad: str) -> None:
    table = f"fruit {good} {bad}"
    assert invalid({"fields": [{"name": "fruit", **field}]}, table) == [(2, "fruit", "categories")]


def test_the_example_of_unique_keys() -> None:
    schema = {"fields": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "uniqueKeys": [["a", "b"], ["a", "c"]]}
    table = "a|b|c 1|1|1 1|2|2 1|1|3 1||4 1||5 1|9|5"
    assert invalid(schema, table) == [(3, "a, b", "uniqueKeys"), (6, "a, c", "uniqueKeys")]


def test_the_table_of_countries_repeats_its_first_key_in_its_last_row() -> None:
    countries = (
        "id|name|slug ao|Angola|angola ag|Antigua|antigua-and-barbuda ar|Argentina|argentina am|Armenia|armenia "
        "aw|Aruba|aruba au|Australia|australia at|Austria|austria bd|Bangladesh|bangladesh ao|Belgium|belgium"
    )
    fields = [{"name": "id", "constraints": {"unique": True}}, {"name": "name"}, {"name": "slug"}]
    assert invalid({"fields": fields}, countries) == [(9, "id", "unique")]
    keyed = [{"name": "id"}, {"name": "name"}, {"name": "slug"}]
    assert invalid({"fields": keyed, "primaryKey": "id"}, countries) == [(9, "id", "primaryKey")]


def test_a_row_that_is_refused_for_its_type_takes_no_key_away() -> None:
    fields = [{"name": "id"}, {"name": "unique_number", "type": "number", "constraints": {"unique": True}}]
    table = "id|unique_number a1|100 a2|bad a3|100 a4|0 a5|0.0"
    assert invalid({"fields": fields}, table) == [
        (2, "unique_number", "type"),
        (3, "unique_number", "unique"),
        (5, "unique_number", "unique"),
    ]


def test_a_primary_key_of_two_columns_is_required_in_both() -> None:
    table = "id|name 1|Alex 1|John |Paul 1|John |"
    assert invalid({"fields": [ID, NAME], "primaryKey": ["id", "name"]}, table) == [
        (3, "id", "required"),
        (4, "id, name", "primaryKey"),
        (5, "id", "required"),
    ]
