"""What each type of a Table Schema takes for a value, by the examples of the specification and of its own programs."""

from __future__ import annotations

from typing import Any

import pytest

from activities.api.mapping.exact_numbers import dumps
from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import parse_schema


def read(cell: str, decimal: str = ".", **field: Any) -> str:
    """Return the value of a cell as JSON, or the rule that it breaks in brackets."""
    schema = parse_schema({"fields": [{"name": "a", **field}], "missingValues": []})
    checker = RowChecker.compile(schema, ["a"], null=None, decimal=decimal)
    fault = checker.fault([cell])
    return f"<{fault.rule}>" if fault else dumps(checker.typed([cell])["a"]).decode()


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("default", "string", '"string"'),
        ("default", "", '""'),
        ("uri", "http://google.com", '"http://google.com"'),
        ("uri", "urn:isbn:0451450523", '"urn:isbn:0451450523"'),
        ("uri", "http://[2001:db8::7]:80/a%20b?q=1#top", '"http://[2001:db8::7]:80/a%20b?q=1#top"'),
        ("uri", "://no-scheme.test", "<format>"),
        ("uri", "string", "<format>"),
        ("uri", "http://a b", "<format>"),
        ("uri", "http://a/%zz", "<format>"),
        ("uri", "", "<format>"),
        ("email", "name@gmail.com", '"name@gmail.com"'),
        ("email", "o'neill+tag@mail.example.co.uk", '"o\'neill+tag@mail.example.co.uk"'),
        ("email", "http://google.com", "<format>"),
        ("email", "string", "<format>"),
        ("email", "a@b@c.org", "<format>"),
        ("email", ".a@example.org", "<format>"),
        ("email", "a@-example.org", "<format>"),
        ("email", "x" * 65 + "@example.org", "<format>"),
        ("email", "a@example.org\n", "<format>"),
        ("binary", "dGVzdA==", '"dGVzdA=="'),
        ("binary", "string", "<format>"),
        ("binary", "!!!!", "<format>"),
        ("binary", "@@@@", "<format>"),
        ("binary", "()()", "<format>"),
        ("uuid", "95ecc380-afe9-11e4-9b6c-751b66dd541e", '"95ecc380-afe9-11e4-9b6c-751b66dd541e"'),
        ("uuid", "95ecc380afe911e49b6c751b66dd541e", "<format>"),
        ("uuid", "string", "<format>"),
    ],
)
def test_a_string_is_of_its_format(form: str, cell: str, value: str) -> None:
    assert read(cell, type="string", format=form) == value


@pytest.mark.parametrize(
    ("cell", "value", "options"),
    [
        ("1", "1", {}),
        ("+1", "1", {}),
        ("-12", "-12", {}),
        ("000835", "835", {}),
        ("00", "0", {}),
        (" 01 ", "1", {}),
        ("123456789012345678901234567890", "123456789012345678901234567890", {}),
        ("0.0003", "<type>", {}),
        ("1.0", "<type>", {}),
        ("1e3", "<type>", {}),
        ("1_000", "<type>", {}),
        ("\u0661\u0662", "<type>", {}),
        ("", "<type>", {}),
        ("1,000", "<type>", {}),
        ("1,000", "1000", {"groupChar": ","}),
        ("1,,000", "<type>", {"groupChar": ","}),
        (",1", "<type>", {"groupChar": ","}),
        ("1$", "1", {"bareNumber": False}),
        ("ab1$", "1", {"bareNumber": False}),
        ("-12 \u20ac", "-12", {"bareNumber": False}),
        ("-12\u20ac", "-12", {"bareNumber": False}),
        ("\u20ac-12", "-12", {"bareNumber": False}),
        ("\u20ac -12", "-12", {"bareNumber": False}),
        ("-\u20ac12", "<type>", {"bareNumber": False}),
        ("3.14", "<type>", {"bareNumber": False}),
        ("none", "<type>", {"bareNumber": False}),
    ],
)
def test_an_integer_is_a_whole_number_of_any_size(cell: str, value: str, options: dict[str, Any]) -> None:
    assert read(cell, type="integer", **options) == value


def test_an_integer_of_more_digits_than_python_reads_comes_out_digit_for_digit() -> None:
    assert read("7" * 5_000, type="integer") == "7" * 5_000


GROUPED = {"groupChar": "#", "decimalChar": "@"}
SPACED = {"groupChar": " ", "decimalChar": ","}


@pytest.mark.parametrize(
    ("cell", "value", "options"),
    [
        ("-1.23", "-1.23", {}),
        ("12678967.543233", "12678967.543233", {}),
        ("+100000.00", "100000.00", {}),
        ("210", "210", {}),
        ("210.", "210", {}),
        (".5", "0.5", {}),
        ("-.5", "-0.5", {}),
        ("000835", "835", {}),
        (" 01 ", "1", {}),
        ("10.50", "10.50", {}),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827", {}),
        ("1E5", "1E5", {}),
        ("1.5e-07", "1.5e-07", {}),
        ("1E400", "1E400", {}),
        ("NaN", '"NaN"', {}),
        ("nan", '"NaN"', {}),
        ("INF", '"INF"', {}),
        ("-inf", '"-INF"', {}),
        ("10,000a.00", "<type>", {}),
        ("10+000.00", "<type>", {}),
        ("$10:000.00", "<type>", {}),
        ("string", "<type>", {}),
        (".", "<type>", {}),
        ("1e", "<type>", {}),
        ("1_0.5", "<type>", {}),
        ("", "<type>", {}),
        ("-12.3 \u20ac", "-12.3", {"bareNumber": False}),
        ("\u20ac-12.3", "-12.3", {"bareNumber": False}),
        ("\u20ac -12.3", "-12.3", {"bareNumber": False}),
        ("100%", "100", {"bareNumber": False}),
        ("1000\u2030", "1000", {"bareNumber": False}),
        ("EUR 95", "95", {"bareNumber": False}),
        ("1,000", "1000", {"groupChar": ","}),
        ("10,000,000.50", "10000000.50", {"groupChar": ","}),
        ("10#000#000@50", "10000000.50", GROUPED),
        ("10@50", "10.50", GROUPED),
        ("1#000", "1000", GROUPED),
        ("10.000.000,00", "10000000.00", {"groupChar": ".", "decimalChar": ","}),
        ("8.699,8", "8699.8", {"groupChar": ".", "decimalChar": ","}),
        ("10 000 000,00", "10000000.00", SPACED),
        ("  10 000,00 \u00a3", "10000.00", {**SPACED, "bareNumber": False}),
        ("1.234", "<type>", {"decimalChar": ","}),
        ("1.234.", "<type>", {"decimalChar": ",", "bareNumber": False}),
        ("1234.", "1234", {"decimalChar": ",", "bareNumber": False}),
    ],
)
def test_a_number_keeps_its_digits(cell: str, value: str, options: dict[str, Any]) -> None:
    assert read(cell, type="number", **options) == value


def test_the_decimal_separator_of_a_feed_holds_for_fields_that_say_none() -> None:
    assert read("1,5", decimal=",", type="number") == "1.5"
    assert read("1.5", decimal=",", type="number") == "<type>"
    assert read("1.5", decimal=",", type="number", decimalChar=".") == "1.5"
    assert read("1,5;2", decimal=",", type="list", itemType="number", delimiter=";") == "[1.5,2]"


@pytest.mark.parametrize(
    ("cell", "value", "options"),
    [
        ("true", "true", {}),
        ("TRUE", "true", {}),
        ("1", "true", {}),
        ("False", "false", {}),
        ("0", "false", {}),
        ("tRUE", "<type>", {}),
        ("yes", "<type>", {}),
        ("yes", "true", {"trueValues": ["yes"]}),
        ("true", "<type>", {"trueValues": ["yes"]}),
        ("0", "false", {"trueValues": ["yes"]}),
    ],
)
def test_a_boolean_is_one_of_its_texts(cell: str, value: str, options: dict[str, Any]) -> None:
    assert read(cell, type="boolean", **options) == value


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("default", "2019-01-01", '"2019-01-01"'),
        ("default", "2024-02-29", '"2024-02-29"'),
        ("default", "2023-02-29", "<type>"),
        ("default", "20190101", "<type>"),
        ("default", "2019-W01-1", "<type>"),
        ("default", "10th Jan 1969", "<type>"),
        ("default", "2019-1-1", "<type>"),
        ("default", "2019-01-01T00:00:00", "<type>"),
        ("default", "", "<type>"),
        ("any", "2019-01-01", '"2019-01-01"'),
        ("any", "20190101", '"2019-01-01"'),
        ("any", "2019/1/9", '"2019-01-09"'),
        ("any", "10th Jan 1969", '"1969-01-10"'),
        ("any", "Friday, January 10, 1969", '"1969-01-10"'),
        ("any", "10th Jan nineteen sixty nine", "<format>"),
        ("any", "01/02/2019", "<format>"),
        ("any", "invalid", "<format>"),
        ("%d/%m/%y", "30/11/14", '"2014-11-30"'),
        ("%d/%m/%y", "1/2/69", '"1969-02-01"'),
        ("%y/%m/%d", "30/11/14 ", "<format>"),
        ("%d/%m/%y", "31/11/14", "<format>"),
        ("%d/%m/%y", "invalid", "<format>"),
        ("fmt:%d/%m/%y", "30/11/14", '"2014-11-30"'),
        ("%d %B %Y", "9 March 2021", '"2021-03-09"'),
        ("%b %d, %Y", "SEP 09, 2021", '"2021-09-09"'),
        ("%Y%j", "2020366", '"2020-12-31"'),
        ("%d.%m.", "29.02.", "<format>"),
        ("%d.%m.", "28.02.", '"1900-02-28"'),
    ],
)
def test_a_date_comes_out_in_iso_8601(form: str, cell: str, value: str) -> None:
    assert read(cell, type="date", format=form) == value


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("default", "15:00:00", '"15:00:00"'),
        ("default", "06:00:00Z", '"06:00:00Z"'),
        ("default", "06:00:00+01:00", '"06:00:00+01:00"'),
        ("default", "06:00:00+1:00", "<type>"),
        ("default", "24:00:00", '"24:00:00"'),
        ("default", "24:00:01", "<type>"),
        ("default", "09:00", "<type>"),
        ("default", "3 am", "<type>"),
        ("default", "3.00", "<type>"),
        ("any", "06:00:00", '"06:00:00"'),
        ("any", "3:00 am", '"03:00:00"'),
        ("any", "12 p.m.", '"12:00:00"'),
        ("any", "3", "<format>"),
        ("any", "some night", "<format>"),
        ("%H:%M", "06:00", '"06:00:00"'),
        ("%M:%H", "06:50", "<format>"),
        ("%H:%M", "3:00 am", "<format>"),
        ("%I:%M %p", "12:05 AM", '"00:05:00"'),
        ("%H:%M:%S.%f", "06:00:00.25", '"06:00:00.250000"'),
        ("fmt:%H:%M", "06:00", '"06:00:00"'),
    ],
)
def test_a_time_comes_out_in_iso_8601(form: str, cell: str, value: str) -> None:
    assert read(cell, type="time", format=form) == value


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("default", "2014-01-01T06:00:00", '"2014-01-01T06:00:00"'),
        ("default", "2014-01-01T06:00:00Z", '"2014-01-01T06:00:00Z"'),
        ("default", "2014-01-01T06:00:00+01:00", '"2014-01-01T06:00:00+01:00"'),
        ("default", "2024-01-26T15:00:00.300-05:00", '"2024-01-26T15:00:00.300-05:00"'),
        ("default", "2014-01-01T06:00:00+1:00", "<type>"),
        ("default", "2014-01-01T06:00:00+14:01", "<type>"),
        ("default", "2014-01-01T06:00:60", "<type>"),
        ("default", "2014-02-30T06:00:00", "<type>"),
        ("default", "2014-01-01 06:00:00", "<type>"),
        ("default", "Mon 1st Jan 2014 9 am", "<type>"),
        ("default", "invalid", "<type>"),
        ("any", "2014-01-01T06:00:00", '"2014-01-01T06:00:00"'),
        ("any", "2014-01-01T06:00:00Z", '"2014-01-01T06:00:00+00:00"'),
        ("any", "2014-01-01 06:00", '"2014-01-01T06:00:00"'),
        ("any", "10th Jan 1969 9 am", '"1969-01-10T09:00:00"'),
        ("any", "Jan 10, 1969, 21:05 UTC", '"1969-01-10T21:05:00+00:00"'),
        ("any", "invalid", "<format>"),
        ("%d/%m/%y %H:%M", "21/11/06 16:30", '"2006-11-21T16:30:00"'),
        ("%H:%M %d/%m/%y", "21/11/06 16:30", "<format>"),
        ("%d/%m/%Y %H:%M:%S", "12/11/2018 09:15:32", '"2018-11-12T09:15:32"'),
        ("fmt:%d/%m/%y %H:%M", "21/11/06 16:30", '"2006-11-21T16:30:00"'),
        ("%FT%T", "2018-11-12T09:15:32", '"2018-11-12T09:15:32"'),
        ("%Y-%m-%d %H:%M:%S %z", "2018-11-12 09:15:32 +0530", '"2018-11-12T09:15:32+05:30"'),
    ],
)
def test_a_date_with_a_time_comes_out_in_iso_8601(form: str, cell: str, value: str) -> None:
    assert read(cell, type="datetime", format=form) == value


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("year", "2000", "2000"),
        ("year", "-0044", "-44"),
        ("year", "12024", "12024"),
        ("year", "99", "<type>"),
        ("year", "0000", "<type>"),
        ("year", "02000", "<type>"),
        ("year", "3.14", "<type>"),
        ("yearmonth", "2000-10", '"2000-10"'),
        ("yearmonth", "2000-13-20", "<type>"),
        ("yearmonth", "2000-13", "<type>"),
        ("yearmonth", "2000-0", "<type>"),
        ("yearmonth", "96777-8", "<type>"),
        ("yearmonth", "13", "<type>"),
        ("yearmonth", "3.14", "<type>"),
        ("duration", "P1Y10M3DT5H11M7S", '"P1Y10M3DT5H11M7S"'),
        ("duration", "-P1Y", '"-P1Y"'),
        ("duration", "PT1.5S", '"PT1.5S"'),
        ("duration", "P1M1Y", "<type>"),
        ("duration", "P-1Y", "<type>"),
        ("duration", "P", "<type>"),
        ("duration", "P1DT", "<type>"),
        ("duration", "P1.5D", "<type>"),
        ("duration", "1Y", "<type>"),
        ("any", "anything", '"anything"'),
        ("any", "1", '"1"'),
    ],
)
def test_years_months_and_durations_are_those_of_xml_schema(kind: str, cell: str, value: str) -> None:
    assert read(cell, type=kind) == value


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("default", "180,90", "[180,90]"),
        ("default", "180, -90", "[180,-90]"),
        ("default", "90.50, 45.50", "[90.50,45.50]"),
        ("default", "181,90", "<type>"),
        ("default", "0,91", "<type>"),
        ("default", "NaN,0", "<type>"),
        ("default", "1,2,3", "<type>"),
        ("default", "string", "<type>"),
        ("default", "3.14", "<type>"),
        ("array", "[180, -90]", "[180,-90]"),
        ("array", "[181, 90]", "<format>"),
        ("array", "180,90", "<format>"),
        ("array", '["1", "2"]', "<format>"),
        ("array", "[true, 2]", "<format>"),
        ("object", '{"lon": 180, "lat": 90}', '{"lon":180,"lat":90}'),
        ("object", '{"lon": 180, "lat": -91}', "<format>"),
        ("object", '{"lon": 180, "lat": 9, "alt": 1}', "<format>"),
        ("object", "[180, -90]", "<format>"),
        ("object", "string", "<format>"),
    ],
)
def test_a_geopoint_is_on_earth(form: str, cell: str, value: str) -> None:
    assert read(cell, type="geopoint", format=form) == value


FEATURE = '{"geometry":null,"type":"Feature","properties":{"a":"b"}}'
POLYGON = '{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}'


@pytest.mark.parametrize(
    ("form", "cell", "value"),
    [
        ("default", FEATURE, FEATURE),
        ("default", POLYGON, POLYGON),
        ("default", POLYGON.replace("[4,4],", ""), "<type>"),
        ("default", f'{{"type":"FeatureCollection","features":[{FEATURE}]}}', "same"),
        ("default", f'{{"type":"GeometryCollection","geometries":[{POLYGON}]}}', "same"),
        ("default", '{"type":"Point","coordinates":[1.50,2]}', "same"),
        ("default", '{"type":"Point","coordinates":["a",2]}', "<type>"),
        ("default", '{"type":"Feature","geometry":null}', "<type>"),
        ("default", '{"type":"Nothing"}', "<type>"),
        ("default", "{}", "<type>"),
        ("default", "string", "<type>"),
        ("default", "3.14", "<type>"),
        ("topojson", '{"type":"LineString","arcs":[42]}', "same"),
        ("topojson", '{"type":"Topology","objects":{},"arcs":[]}', "same"),
        ("topojson", '{"type":"Topology"}', "<format>"),
        ("topojson", "string", "<format>"),
    ],
)
def test_geojson_and_topojson_have_the_members_that_they_must_have(form: str, cell: str, value: str) -> None:
    assert read(cell, type="geojson", format=form) == (cell if value == "same" else value)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("object", '{"a": 1.50, "b": [1e400]}', '{"a":1.50,"b":[1e400]}'),
        ("object", "[1]", "<type>"),
        ("object", '{"a": NaN}', "<type>"),
        ("object", "{", "<type>"),
        ("array", '[1, "two", {"three": 3}]', '[1,"two",{"three":3}]'),
        ("array", "{}", "<type>"),
        ("array", "null", "<type>"),
        ("array", "[" * 100_000, "<type>"),
    ],
)
def test_json_in_a_cell_is_of_its_kind(kind: str, cell: str, value: str) -> None:
    assert read(cell, type=kind) == value


@pytest.mark.parametrize(
    ("cell", "value", "options"),
    [
        ("value1,value2", '["value1","value2"]', {}),
        ("value1,,value3", '["value1","","value3"]', {}),
        ("value1;value2", '["value1;value2"]', {}),
        ("value1||value2", '["value1","value2"]', {"delimiter": "||"}),
        ("1,2,3", "[1,2,3]", {"itemType": "integer"}),
        ("2  ,  3", "[2,3]", {"itemType": "integer"}),
        ("1,2,", "<type>", {"itemType": "integer"}),
        ("1,bad,3", "<type>", {"itemType": "integer"}),
        ("1.50,2", "[1.50,2]", {"itemType": "number"}),
        ("true,0", "[true,false]", {"itemType": "boolean"}),
        ("2006-11-21", '["2006-11-21"]', {"itemType": "date"}),
        ("21/11/2006", "<type>", {"itemType": "date"}),
    ],
)
def test_a_list_has_items_of_one_type(cell: str, value: str, options: dict[str, Any]) -> None:
    assert read(cell, type="list", **options) == value
