"""Which field each column of a file has: by its name, or by one of its aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from activities.schema.field import Field
from activities.schema.table_schema import TableSchema
from workflows.errors import InvalidCsv
from workflows.ids import printable
from workflows.models import RESERVED


class Matched(NamedTuple):
    """The field of a column, and the name that the column has in a typed row, whatever the file calls it."""

    field: Field
    name: str


def matched_columns(schema: TableSchema, columns: Sequence[str]) -> dict[int, Matched]:
    """Return the field of each column that has one, by the position of the column, in the order of the fields.

    Raises:
        InvalidCsv: the columns and the fields do not match as `fields_match` wants it; all that is wrong is named.
    """
    at_of = {name: at for at, name in enumerate(columns)}
    matched: dict[int, Matched] = {}
    lacking: list[Field] = []
    seen: dict[str, int] = {}
    for field in schema.fields:
        seen[field.name] = seen.get(field.name, 0) + 1
        name = _name_in_file(field.name, seen[field.name])
        found = next(
            (at_of[each] for each in (name, *field.aliases) if at_of.get(each, -1) not in {-1, *matched}), None
        )
        if found is None:
            lacking.append(field)
        else:
            matched[found] = Matched(field, name)
    _check_lacking(schema, lacking, matched)
    _check_more(schema, columns, matched)
    return matched


def _name_in_file(name: str, number: int) -> str:
    """Return how a header makes the name of the `number`th column of this name distinguishable."""
    number += name in RESERVED
    return name if number == 1 else f"{name}__{number}"


def _check_lacking(schema: TableSchema, lacking: list[Field], matched: Mapping[int, Matched]) -> None:
    if schema.fields_match in {"superset", "partial"}:
        lacking = [each for each in lacking if each.constraints.get("required") or each.name in schema.primary_key]
    if lacking:
        names = ", ".join(_shown(each) for each in lacking)
        raise InvalidCsv(f"the header lacks the column(s) {names}; add them, or change the schema of the feed")
    if not matched:
        raise InvalidCsv("the header has not one column of the schema; correct it, or change the schema of the feed")


def _check_more(schema: TableSchema, columns: Sequence[str], matched: Mapping[int, Matched]) -> None:
    if schema.fields_match in {"subset", "partial"}:
        return
    more = [name for at, name in enumerate(columns) if at not in matched]
    if more:
        names = ", ".join(map(printable, more))
        raise InvalidCsv(
            f"the schema has no field for the column(s) {names}; leave them out, or set its fieldsMatch to subset"
        )
    if schema.fields_match == "exact" and list(matched) != sorted(matched):
        raise InvalidCsv(
            "the columns are not in the order of the fields of the schema; change that, or set its fieldsMatch to equal"
        )


def _shown(field: Field) -> str:
    return " or ".join(printable(name) for name in (field.name, *field.aliases))
