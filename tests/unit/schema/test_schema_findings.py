"""A schema that cannot be used says everything that is wrong with it; one that can has one form."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from activities.schema.table_schema import InvalidSchema, TableSchema, parse_schema
from workflows.errors import SettingsError


def findings(text: str | dict[str, Any]) -> dict[str, str]:
    """Return what is wrong, by place."""
    with pytest.raises(InvalidSchema) as refused:
        parse_schema(text)
    return dict(refused.value.findings)


@pytest.mark.parametrize(
    ("field", "place", "problem"),
    [
        ({"name": ""}, "name", "it must be text"),
        ({"name": "a", "type": "strnig"}, "type", "there is no type 'strnig'"),
        ({"name": "a", "type": 5}, "type", "it must be text"),
        ({"name": "a", "format": "wkt"}, "format", "there is no format 'wkt' of text"),
        ({"name": "a", "type": "integer", "format": "roman"}, "format", "no format but default"),
        ({"name": "a", "type": "date", "format": "yyyy"}, "format", "no format of a date"),
        ({"name": "a", "type": "date", "format": "%Q"}, "format", "no pattern of strptime"),
        ({"name": "a", "type": "geopoint", "format": "wkt"}, "format", "of a geopoint"),
        ({"name": "a", "type": "list", "itemType": "list"}, "itemType", "no type of items"),
        ({"name": "a", "type": "list", "delimiter": ""}, "delimiter", "must be text"),
        ({"name": "a", "type": "number", "decimalChar": "1"}, "decimalChar", "without digits"),
        ({"name": "a", "type": "number", "groupChar": "."}, "groupChar", "decimal separator too"),
        ({"name": "a", "type": "number", "bareNumber": "no"}, "bareNumber", "true or false"),
        ({"name": "a", "type": "boolean", "trueValues": ["0"]}, "falseValues", "among the trueValues"),
        ({"name": "a", "aliases": "b"}, "aliases", "list of names"),
        ({"name": "a", "missingValues": [5]}, "missingValues", "list of texts"),
        ({"name": "a", "constraints": []}, "constraints", "must be an object"),
        ({"name": "a", "constraints": {"requird": True}}, "constraints.requird", "no such constraint"),
        ({"name": "a", "constraints": {"required": "yes"}}, "constraints.required", "true or false"),
        ({"name": "a", "constraints": {"minLength": -1}}, "constraints.minLength", "0 or more"),
        ({"name": "a", "constraints": {"minLength": True}}, "constraints.minLength", "0 or more"),
        ({"name": "a", "constraints": {"minimum": 5}}, "constraints.minimum", "nothing to the type string"),
        ({"name": "a", "type": "date", "constraints": {"pattern": "x"}}, "constraints.pattern", "nothing to the type"),
        ({"name": "a", "type": "date", "constraints": {"minimum": "soon"}}, "constraints.minimum", "no value of the"),
        ({"name": "a", "type": "number", "constraints": {"minimum": "NaN"}}, "constraints.minimum", "NaN"),
        ({"name": "a", "type": "integer", "constraints": {"minimum": 1.5}}, "constraints.minimum", "whole number"),
        ({"name": "a", "type": "integer", "constraints": {"minimum": True}}, "constraints.minimum", "whole number"),
        ({"name": "a", "constraints": {"pattern": "("}}, "constraints.pattern", "unclosed group"),
        ({"name": "a", "constraints": {"pattern": "(?=a)"}}, "constraints.pattern", "look-around"),
        ({"name": "a", "constraints": {"pattern": r"(a)\1"}}, "constraints.pattern", "backreferences"),
        ({"name": "a", "constraints": {"pattern": r"\p{IsKlingon}"}}, "constraints.pattern", "IsKlingon"),
        ({"name": "a", "constraints": {"enum": []}}, "constraints.enum", "not an empty one"),
        ({"name": "a", "constraints": {"enum": ["a", 1]}}, "constraints.enum", "value 2 is no value of the field"),
        ({"name": "a", "type": "object", "constraints": {"jsonSchema": {}}}, "constraints.jsonSchema", "leave it out"),
        ({"name": "a", "type": "date", "categories": ["x"]}, "categories", "no categories"),
        ({"name": "a", "categories": [{"label": "x"}]}, "categories", "must have a value"),
    ],
)
def test_a_finding_names_its_place_and_what_is_wrong(field: dict[str, Any], place: str, problem: str) -> None:
    found = findings({"fields": [{"name": "first"}, field]})
    assert list(found) == [f"fields[1].{place}"]
    assert problem in found[f"fields[1].{place}"]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ("{", ""),
        ("[]", ""),
        ({}, "fields"),
        ({"fields": []}, "fields"),
        ({"fields": ["a"]}, "fields[0]"),
        ({"fields": [{"name": "a"}], "primaryKey": "b"}, "primaryKey"),
        ({"fields": [{"name": "a"}], "primaryKey": 5}, "primaryKey"),
        ({"fields": [{"name": "a"}], "uniqueKeys": [["a"], []]}, "uniqueKeys[1]"),
        ({"fields": [{"name": "a"}], "uniqueKeys": "a"}, "uniqueKeys"),
        ({"fields": [{"name": "a"}], "missingValues": "-"}, "missingValues"),
        ({"fields": [{"name": "a"}], "fieldsMatch": "loose"}, "fieldsMatch"),
        ({"fields": [{"name": "a"}], "foreignKeys": [{"fields": "a", "reference": {"fields": "a"}}]}, "foreignKeys"),
        ({"fields": [{"name": "a"}, {"name": "b", "aliases": ["a"]}]}, "fields[1].aliases"),
    ],
)
def test_the_schema_as_a_whole_is_checked(schema: str | dict[str, Any], place: str) -> None:
    assert list(findings(schema)) == [place]


def test_all_findings_are_said_at_once_in_one_error_of_the_settings() -> None:
    written = {"fields": [{"name": "a", "type": "x"}, {"constraints": {}}, {"name": "c", "constraints": {"enum": 5}}]}
    assert sorted(findings(written)) == ["fields[0].type", "fields[1].name", "fields[2].constraints.enum"]
    with pytest.raises(SettingsError, match="there is no type 'x'"):
        parse_schema(written)


def test_a_bound_is_written_with_the_decimal_separator_of_the_feed() -> None:
    written = {"fields": [{"name": "a", "type": "number", "constraints": {"minimum": "1,5"}}]}
    assert list(findings(written)) == ["fields[0].constraints.minimum"]
    assert parse_schema(written, decimal=",").fields[0].constraints == {"minimum": "1,5"}


def test_two_fields_of_one_name_are_of_version_1_alone() -> None:
    fields = [{"name": "a"}, {"name": "a"}]
    assert len(parse_schema({"fields": fields}).fields) == 2
    version_2 = "https://datapackage.org/profiles/2.0/tableschema.json"
    assert list(findings({"$schema": version_2, "fields": fields})) == ["fields[0].name", "fields[1].name"]


def test_what_only_describes_is_passed_over() -> None:
    described = {
        "title": "People",
        "fields": [
            {"name": "a", "title": "A", "description": "d", "example": "x", "rdfType": "http://x", "own": {"thing": 1}}
        ],
        "foreignKeys": [],
    }
    assert parse_schema(described) == parse_schema({"fields": [{"name": "a", "type": "string"}]})


FULL = {
    "fields": [
        {"name": "b", "type": "number", "constraints": {"minimum": 1.50, "enum": [2, "3,0"]}, "decimalChar": ","},
        {"name": "a", "aliases": ["A"], "missingValues": [], "constraints": {"pattern": "\u00e9+", "unique": True}},
        {"name": "c", "type": "date", "format": "%d.%m.%Y"},
        {"name": "d", "type": "integer", "categories": [{"value": 0, "label": "no"}]},
    ],
    "primaryKey": "a",
    "uniqueKeys": [["a", "b"]],
    "missingValues": ["", "-"],
    "fieldsMatch": "equal",
}


def test_the_canonical_form_is_read_as_the_same_schema() -> None:
    schema = parse_schema(FULL)
    assert parse_schema(schema.canonical()).canonical() == schema.canonical()
    assert parse_schema(schema.canonical()) == schema
    assert (schema.primary_key, schema.unique_columns) == (("a",), ("a",))


def test_the_canonical_form_does_not_depend_on_how_it_was_written() -> None:
    shuffled: dict[str, Any] = json.loads(json.dumps(FULL), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    shuffled["fields"][0]["title"] = "B"
    shuffled["primaryKey"] = ["a"]
    assert parse_schema(json.dumps(shuffled)).canonical() == parse_schema(FULL).canonical()
    assert parse_schema('{"fields":[{"name":"a","constraints":{}}]}').canonical() == (
        '{"fields":[{"name":"a","type":"string"}],"fieldsMatch":"subset"}'
    )


def test_a_number_of_a_constraint_keeps_its_digits() -> None:
    text = '{"fields":[{"constraints":{"minimum":0.10000000000000000000001},"name":"a","type":"number"}],'
    assert parse_schema(text + '"fieldsMatch":"subset"}').canonical() == text + '"fieldsMatch":"subset"}'


def test_a_table_of_toml_is_a_schema_too() -> None:
    table = tomllib.loads('fields = [{ name = "a", type = "date", constraints = { minimum = 2024-01-01 } }]')
    assert parse_schema(table) == parse_schema(
        '{"fields": [{"name": "a", "type": "date", "constraints": {"minimum": "2024-01-01"}}]}'
    )


def test_a_schema_cannot_be_changed() -> None:
    schema = parse_schema({"fields": [{"name": "a"}]})
    with pytest.raises(AttributeError):
        schema.fields = ()  # type: ignore[misc]
    assert isinstance(schema, TableSchema)
