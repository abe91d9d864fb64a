"""One field compiled: a function from cell to value, which has no decisions left that the schema has made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activities.schema.constraints import Check, checks_of
from activities.schema.field import Field
from activities.schema.findings import Finding, Findings, InvalidSchema, Unusable
from activities.schema.table_schema import TableSchema
from activities.schema.types.cell_type import CellType
from activities.schema.types.choice import cell_type


class Broken(Exception):
    """A cell breaks a rule; never leaves the row checker."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReader:
    """`read` returns the value of a cell, None where it is missing, and raises Broken where it breaks a rule."""

    read: Callable[[str], Any]
    kind: CellType
    is_unique: bool
    can_break: bool


def compile_field(field: Field, schema: TableSchema, *, null: str | None, decimal: str, required: bool) -> FieldReader:
    """Return the reader of `field`. A cell is missing where it is `null`, or what the field or the schema names.

    Raises:
        InvalidSchema: it cannot be used with this decimal separator.
    """
    findings = Findings()
    place = f"fields[{schema.fields.index(field)}]"
    try:
        kind = cell_type(field, decimal)
    except Unusable as error:
        raise InvalidSchema([Finding(f"{place}.{error.key}", str(error))]) from error
    checks = checks_of(field, kind, findings, place)
    findings.check()
    own = schema.missing_values if field.missing_values is None else field.missing_values
    missing = frozenset(own if null is None else (*own, null))
    must_be = required or bool(field.constraints.get("required"))
    return FieldReader(
        read=_reader(kind, checks, missing, "required" if must_be else ""),
        kind=kind,
        is_unique=bool(field.constraints.get("unique")),
        can_break=must_be or bool(checks) or not kind.reads_all,
    )


def _reader(kind: CellType, checks: list[Check], missing: frozenset[str], if_missing: str) -> Callable[[str], Any]:
    """Return what reads a cell and holds it to the checks; `if_missing` is the rule that a missing one breaks."""
    if not checks:
        return _missing_or_read(kind, missing, if_missing)
    parse, broken, held = kind.read, kind.broken, tuple(checks)

    def read(cell: str) -> Any:
        if cell in missing:
            return _null(if_missing)
        try:
            value = parse(cell)
        except ValueError:
            raise Broken(broken) from None
        for rule, holds in held:
            if not holds(value):
                raise Broken(rule)
        return value

    return read


def _missing_or_read(kind: CellType, missing: frozenset[str], if_missing: str) -> Callable[[str], Any]:
    parse, broken = kind.read, kind.broken
    if kind.reads_all:
        return lambda cell: _null(if_missing) if cell in missing else cell

    def read(cell: str) -> Any:
        if cell in missing:
            return _null(if_missing)
        try:
            return parse(cell)
        except ValueError:
            raise Broken(broken) from None

    return read


def _null(if_missing: str) -> Any:
    if if_missing:
        raise Broken(if_missing)
    return None
