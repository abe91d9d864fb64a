"""A Frictionless Table Schema: read, checked as a whole, and written again in one form.

Of versions 1 and 2 of the specification: specs.frictionlessdata.io/table-schema, datapackage.org/standard/table-schema.
What would have to be held against rows and is not served is refused by its name; what only describes is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activities.api.mapping.exact_numbers import dumps
from activities.schema.constraints import checks_of
from activities.schema.descriptor import (
    check_names,
    fields_of,
    is_version_2,
    key_of,
    match_of,
    missing_values_of,
    plain,
    read_json,
)
from activities.schema.field import Field
from activities.schema.findings import Finding, Findings, InvalidSchema
from activities.schema.types.choice import cell_type

__all__ = ["Field", "Finding", "InvalidSchema", "TableSchema", "parse_schema"]

_NO_VALUE = ("",)
_NOT_SERVED = {"foreignKeys": "rows are not held against another file here; leave it out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """What the rows of a file must fit.

    `primary_key` and each of `unique_keys` are names of fields; `missing_values` hold for fields without their own.
    `fields_match` is how fields and columns have to match: `exact`, `equal`, `subset`, `superset` or `partial`.
    """

    fields: tuple[Field, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    missing_values: tuple[str, ...] = _NO_VALUE
    fields_match: str = "subset"

    @property
    def unique_columns(self) -> tuple[str, ...]:
        """The names of the fields whose values must differ from row to row."""
        return tuple(each.name for each in self.fields if each.constraints.get("unique"))

    def descriptor(self) -> dict[str, Any]:
        """Return the schema as a value of JSON, with what shapes rows and nothing else. `parse_schema` reads it."""
        found: dict[str, Any] = {
            "fields": [each.descriptor() for each in self.fields],
            "fieldsMatch": self.fields_match,
        }
        if self.primary_key:
            found["primaryKey"] = list(self.primary_key)
        if self.unique_keys:
            found["uniqueKeys"] = [list(each) for each in self.unique_keys]
        if self.missing_values != _NO_VALUE:
            found["missingValues"] = list(self.missing_values)
        return found

    def canonical(self) -> str:
        """Return the schema as JSON, the same for all schemas that mean the same to rows: keys sorted, no spaces."""
        return dumps(_sorted(self.descriptor())).decode()


def parse_schema(text: str | Mapping[str, Any], *, decimal: str = ".") -> TableSchema:
    """Read a Table Schema from JSON text, or from a table of TOML.

    `decimal` is the decimal separator of numbers whose field says none, as rows are read later.

    Raises:
        InvalidSchema: it cannot be used; with every finding.
    """
    written = read_json(text) if isinstance(text, str) else plain(text)
    if not isinstance(written, dict):
        raise InvalidSchema([Finding("", "it must be an object with a list of fields")])
    findings = Findings()
    for key, problem in _NOT_SERVED.items():
        if written.get(key):
            findings.add(key, problem)
    found = fields_of(written, findings)
    check_names(found, findings, may_repeat=not is_version_2(written))
    for at, field in found.items():
        with findings.at(f"fields[{at}]"):
            checks_of(field, cell_type(field, decimal), findings, f"fields[{at}]")
    fields = tuple(found.values())
    schema = TableSchema(
        fields=fields,
        primary_key=key_of(written["primaryKey"], "primaryKey", fields, findings) if written.get("primaryKey") else (),
        unique_keys=_unique_keys(written.get("uniqueKeys") or [], fields, findings),
        missing_values=missing_values_of(written.get("missingValues", list(_NO_VALUE)), "missingValues", findings),
        fields_match=match_of(written, findings),
    )
    findings.check()
    return schema


def _unique_keys(written: Any, fields: tuple[Field, ...], findings: Findings) -> tuple[tuple[str, ...], ...]:
    if not isinstance(written, list):
        findings.add("uniqueKeys", "it must be a list of keys")
        return ()
    return tuple(key_of(each, f"uniqueKeys[{at}]", fields, findings) for at, each in enumerate(written))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
