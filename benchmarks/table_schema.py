"""What a Table Schema costs: microseconds of CPU a row, without a call.

python benchmarks/table_schema.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api_options import cpu_us

from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import parse_schema

PEOPLE: list[tuple[str, dict[str, Any], str]] = [
    ("id", {"type": "integer", "constraints": {"required": True, "minimum": 1}}, "4711"),
    ("email", {"type": "string", "format": "email", "constraints": {"required": True}}, "jane.doe@example.com"),
    ("name", {"type": "string", "constraints": {"maxLength": 80}}, "Jane Doe"),
    ("country", {"type": "string", "constraints": {"pattern": "[A-Z]{2}"}}, "US"),
    ("born", {"type": "date"}, "1999-12-31"),
    ("amount", {"type": "number", "constraints": {"minimum": 0}}, "1234.50"),
]
ONE_COLUMN: list[tuple[str, dict[str, Any], str]] = [
    ("text", {"type": "string"}, "Jane Doe"),
    ("text, one of three", {"type": "string", "constraints": {"enum": ["a", "b", "Jane Doe"]}}, "Jane Doe"),
    ("text, by a pattern", {"type": "string", "constraints": {"pattern": r"[A-Z]\w+ [A-Z]\w+"}}, "Jane Doe"),
    ("uri", {"type": "string", "format": "uri"}, "https://example.com/people?id=7"),
    ("boolean", {"type": "boolean"}, "true"),
    ("number with a decimal comma", {"type": "number", "decimalChar": ","}, "1234,50"),
    ("number with a decimal comma and groups", {"type": "number", "decimalChar": ",", "groupChar": "."}, "1.234,50"),
    ("date by a pattern", {"type": "date", "format": "%d/%m/%Y"}, "31/12/1999"),
    ("date by a pattern left to the library", {"type": "date", "format": "%a %d/%m/%Y"}, "Fri 31/12/1999"),
    ("datetime", {"type": "datetime"}, "1999-12-31T23:59:59Z"),
    ("duration", {"type": "duration"}, "P1Y2M3DT4H5M6S"),
    ("object", {"type": "object"}, '{"a":1,"b":[2.50]}'),
]


def reading(*columns: tuple[str, dict[str, Any], str]) -> Callable[[], object]:
    """Return what holds one row to its schema and makes the typed row, in one pass."""
    checker, row = compiled(*columns)
    return lambda: checker.read(row)


def compiled(*columns: tuple[str, dict[str, Any], str], **schema: Any) -> tuple[RowChecker, list[str]]:
    """Return a checker for columns, and a row of them."""
    fields = [{"name": name, **field} for name, field, _ in columns]
    names = [name for name, _, _ in columns]
    checker = RowChecker.compile(parse_schema({"fields": fields, **schema}), names, null=None, decimal=".")
    return checker, [cell for _, _, cell in columns]


def measured() -> list[tuple[str, Callable[[], object]]]:
    """Return what is measured, with its names."""
    checker, row = compiled(*PEOPLE, primaryKey=["id"], uniqueKeys=[["email"]])
    bad = [*row[:-1], "-1"]
    return [
        ("six columns: checked and typed in one pass", lambda: checker.read(row)),
        ("six columns: checked alone", lambda: checker.fault(row)),
        ("six columns: typed alone", lambda: checker.typed(row)),
        ("six columns: a row that breaks a rule of the last", lambda: checker.read(bad)),
        ("a primary key and a unique key", lambda: checker.keys(row)),
        *((f"one column: {each[0]}", reading(each)) for each in ONE_COLUMN),
    ]


if __name__ == "__main__":
    for name, call in measured():
        print(f"{cpu_us(call):7.2f} µs  {name}")
