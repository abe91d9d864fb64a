"""Rows held to a schema: columns found by name or alias, what is missing, what is broken, what is unique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from activities.api.mapping.exact_numbers import dumps
from activities.schema.row_checker import RowChecker, SchemaFault
from activities.schema.table_schema import InvalidSchema, parse_schema
from activities.source.header import columns as columns_of
from workflows.errors import InvalidCsv


def checker(columns: Sequence[str], *fields: dict[str, Any], null: str | None = None, **schema: Any) -> RowChecker:
    return RowChecker.compile(
        parse_schema({"fields": list(fields), **schema}), columns_of(columns), null=null, decimal="."
    )


def rule(constraints: dict[str, Any], cell: str, **field: Any) -> str | None:
    """Return the rule that a cell breaks."""
    fault = checker(["a"], {"name": "a", "constraints": constraints, **field}).fault([cell])
    return fault.rule if fault else None


@pytest.mark.parametrize(
    ("field", "constraints", "good", "bad"),
    [
        ({"type": "string"}, {"minLength": 5}, "apple", "plum"),
        ({"type": "string"}, {"maxLength": 5}, "apple", "grapefruit"),
        ({"type": "string"}, {"minLength": 2}, "\U0001f600\u00e9", "\U0001f600"),
        ({"type": "array"}, {"minLength": 2}, "[1,[2,3]]", "[[2,3]]"),
        ({"type": "object"}, {"maxLength": 1}, '{"a":[1,2]}', '{"a":1,"b":2}'),
        ({"type": "list"}, {"maxLength": 2}, "a,b", "a,b,c"),
        ({"type": "integer"}, {"minimum": 100}, "100", "50"),
        ({"type": "integer"}, {"maximum": "100"}, "100", "150"),
        ({"type": "integer"}, {"exclusiveMinimum": 0}, "1", "0"),
        ({"type": "integer"}, {"exclusiveMaximum": 150}, "149", "150"),
        ({"type": "integer"}, {"maximum": 9007199254740993}, "9007199254740993", "9007199254740994"),
        ({"type": "number"}, {"minimum": "0.1"}, "0.1", "0.09999999999999999999999"),
        ({"type": "number"}, {"maximum": 0.3}, "0.3000", "0.30000000000000000000001"),
        ({"type": "number"}, {"minimum": 0}, "INF", "-INF"),
        ({"type": "number"}, {"minimum": 0}, "1E9999999999999999999999", "NaN"),
        ({"type": "number", "decimalChar": ","}, {"minimum": 1.5}, "1,5", "1,4"),
        ({"type": "date"}, {"minimum": "2024-01-26"}, "2024-01-26", "2024-01-25"),
        ({"type": "date", "format": "%d.%m.%Y"}, {"maximum": "26.01.2024"}, "05.01.2024", "01.02.2024"),
        ({"type": "time"}, {"maximum": "15:00:00"}, "14:59:59.9", "15:00:00.1"),
        (
            {"type": "datetime"},
            {"minimum": "2024-01-26T15:00:00Z"},
            "2024-01-26T10:00:00-05:00",
            "2024-01-26T14:59:59.9",
        ),
        ({"type": "year"}, {"minimum": 1990}, "1990", "-2000"),
        ({"type": "yearmonth"}, {"maximum": "2000-10"}, "2000-10", "12000-01"),
        ({"type": "duration"}, {"minimum": "P1M"}, "P31D", "P30D"),
        ({"type": "duration"}, {"maximum": "PT1M"}, "PT59.999S", "PT60.001S"),
        ({"type": "string"}, {"pattern": "^a.*$"}, "apple", "orange"),
        ({"type": "string"}, {"pattern": "[A-Z]{2}|x"}, "AB", "ABx"),
        ({"type": "string"}, {"enum": ["apple"]}, "apple", "orange"),
        ({"type": "integer"}, {"enum": [1, "2"]}, "02", "3"),
        ({"type": "number"}, {"enum": [1.50, 2]}, "1.5", "1.51"),
        ({"type": "boolean", "trueValues": ["yes"], "falseValues": ["no"]}, {"enum": [True]}, "yes", "no"),
        ({"type": "object"}, {"enum": [{"a": 1, "b": 2}]}, '{"b":2,"a":1.0}', '{"a":true,"b":2}'),
        ({"type": "duration"}, {"enum": ["P1D"]}, "PT24H", "PT23H"),
        ({"type": "datetime"}, {"enum": ["2024-01-01T00:00:00Z"]}, "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00"),
    ],
)
def test_a_constraint_is_held_against_the_value_and_not_the_text(
    field: dict[str, Any], constraints: dict[str, Any], good: str, bad: str
) -> None:
    assert rule(constraints, good, **field) is None
    assert rule(constraints, bad, **field) == next(iter(constraints))


def test_a_fault_names_the_column_of_the_file_and_the_rule_and_no_cell() -> None:
    fields = [{"name": "id", "type": "integer"}, {"name": "mail", "aliases": ["E-Mail"], "format": "email"}]
    check = checker(["E-Mail", "id"], *fields)
    assert check.fault(["secret", "1"]) == SchemaFault("E-Mail", "format")
    assert check.fault(["a@b.org", "secret"]) == SchemaFault("id", "type")
    assert check.fault(["secret", "secret"]) == SchemaFault("E-Mail", "format"), "the first column of the file"
    assert check.fault(["a@b.org", "1"]) is None


def test_a_typed_row_has_the_names_of_the_fields_and_the_columns_without_one_as_they_are() -> None:
    fields = [{"name": "id", "type": "integer"}, {"name": "mail", "aliases": ["E-Mail", "Mail"]}]
    check = checker(["E-Mail", "id", "more", "Mail"], *fields)
    assert check.names == ("mail", "id", "more", "Mail")
    assert check.typed(["a", "7", "", "b"]) == {"mail": "a", "id": 7, "more": "", "Mail": "b"}


def test_a_column_of_its_own_name_goes_before_an_alias() -> None:
    check = checker(["E-Mail", "mail"], {"name": "mail", "aliases": ["E-Mail"]})
    assert check.typed(["a", "b"]) == {"E-Mail": "a", "mail": "b"}


def test_names_that_a_header_numbers_are_found_by_what_stands_in_the_file() -> None:
    check = checker(["a", "a", "error"], {"name": "a"}, {"name": "a", "type": "integer"}, {"name": "error"})
    assert check.typed(["x", "1", "y"]) == {"a": "x", "a__2": 1, "error__2": "y"}


def test_missing_values_are_null_before_anything_else_is_looked_at() -> None:
    fields = [
        {"name": "a", "type": "integer", "constraints": {"minimum": 5}},
        {"name": "b", "type": "integer", "missingValues": [{"value": "-99", "label": "refused"}]},
        {"name": "c", "constraints": {"required": True}},
    ]
    check = checker(["a", "b", "c", "d"], *fields, null="NULL", missingValues=["", "-"])
    assert check.typed(["-", "-99", "x", "-"]) == {"a": None, "b": None, "c": "x", "d": "-"}
    assert check.typed(["NULL", "NULL", "x", "NULL"]) == {"a": None, "b": None, "c": "x", "d": None}
    assert check.fault(["1", "-", "x", ""]) == SchemaFault("a", "minimum")
    assert check.fault(["5", "-", "x", ""]) == SchemaFault("b", "type"), "its own missing values are all that it has"
    assert check.fault(["5", "1", "", ""]) == SchemaFault("c", "required")


def test_without_missing_values_an_empty_cell_is_empty_text() -> None:
    check = checker(["a"], {"name": "a", "constraints": {"required": True}}, missingValues=[])
    assert check.fault([""]) is None
    assert check.typed([""]) == {"a": ""}


def test_a_typed_row_can_be_written_as_json_with_every_digit() -> None:
    check = checker(["n", "o"], {"name": "n", "type": "number"}, {"name": "o", "type": "object"})
    assert dumps(check.typed(["10.50", '{"x":1.0}'])) == b'{"n":10.50,"o":{"x":1.0}}'


def test_keys_have_the_same_bytes_for_equal_values_alone() -> None:
    fields = [
        {"name": "n", "type": "number", "constraints": {"unique": True}},
        {"name": "t", "type": "string", "constraints": {"unique": True}},
    ]
    check = checker(["n", "t"], *fields)
    assert check.keys(["1.0", "1.0"]) == check.keys(["+01", "1.0"]) == check.keys(["100E-2", "1.0"])
    assert dict(check.keys(["1", "1"]))["unique:t"] != dict(check.keys(["1", "1.0"]))["unique:t"]
    assert dict(check.keys(["", "x"])).keys() == {"unique:t"}, "nulls are not compared"
    assert [each.fault for each in check.unique_keys] == [SchemaFault("n", "unique"), SchemaFault("t", "unique")]


def test_a_key_of_several_columns_keeps_their_values_apart() -> None:
    check = checker(["a", "b"], {"name": "a"}, {"name": "b"}, primaryKey=["a", "b"])
    assert check.keys(["x1", "y"]) != check.keys(["x", "1y"])
    assert check.keys(["x", "y"])[0][0] == "primaryKey"
    assert check.unique_keys[0].fault == SchemaFault("a, b", "primaryKey")


def test_a_part_of_the_primary_key_is_required_and_one_of_a_unique_key_is_not() -> None:
    fields = [{"name": "a"}, {"name": "b"}]
    assert checker(["a", "b"], *fields, primaryKey="b").fault(["x", ""]) == SchemaFault("b", "required")
    check = checker(["a", "b"], *fields, uniqueKeys=[["a", "b"], ["a"]])
    assert check.fault(["x", ""]) is None
    assert [name for name, _ in check.keys(["x", ""])] == ["uniqueKeys[1]"]
    assert [each.fault for each in check.unique_keys] == [
        SchemaFault("a, b", "uniqueKeys"),
        SchemaFault("a", "uniqueKeys"),
    ]


@pytest.mark.parametrize(
    ("match", "columns", "problem"),
    [
        ("exact", ["a", "b"], None),
        ("exact", ["b", "a"], "order of the fields"),
        ("exact", ["a", "b", "c"], "no field for the column(s) c"),
        ("exact", ["a"], "lacks the column(s) b"),
        ("equal", ["b", "a"], None),
        ("equal", ["a", "b", "c", "d"], "no field for the column(s) c, d"),
        ("subset", ["b", "c", "a"], None),
        ("subset", ["c"], "lacks the column(s) a or Alpha, b"),
        ("superset", ["a"], None),
        ("superset", ["b"], "lacks the column(s) a or Alpha"),
        ("superset", ["a", "c"], "no field for the column(s) c"),
        ("partial", ["a", "c"], None),
        ("partial", ["b", "c"], "lacks the column(s) a or Alpha"),
    ],
)
def test_fields_and_columns_match_as_the_schema_wants_it(match: str, columns: list[str], problem: str | None) -> None:
    fields = [{"name": "a", "aliases": ["Alpha"], "constraints": {"required": True}}, {"name": "b"}]
    if problem is None:
        assert len(checker(columns, *fields, fieldsMatch=match).names) == len(columns)
        return
    with pytest.raises(InvalidCsv) as refused:
        checker(columns, *fields, fieldsMatch=match)
    assert problem in str(refused.value)


def test_a_header_without_any_column_of_the_schema_is_refused() -> None:
    with pytest.raises(InvalidCsv, match="not one column of the schema"):
        checker(["x"], {"name": "a"}, fieldsMatch="partial")


def test_version_2_wants_an_exact_match_where_it_says_nothing() -> None:
    version_2 = "https://datapackage.org/profiles/2.0/tableschema.json"
    with pytest.raises(InvalidCsv, match="no field for the column"):
        checker(["a", "b"], {"name": "a"}, **{"$schema": version_2})


def test_a_decimal_separator_that_groups_digits_in_a_field_is_refused() -> None:
    schema = parse_schema({"fields": [{"name": "a", "type": "number", "groupChar": ","}]})
    with pytest.raises(InvalidSchema, match=r"fields\[0\]\.groupChar"):
        RowChecker.compile(schema, ["a"], null=None, decimal=",")
