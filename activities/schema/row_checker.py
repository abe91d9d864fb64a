"""Rows held to a schema: compiled once for the columns of a file, one function for each column.

A cell that is missing is null whatever its type. A rule is named as the specification names its property; no text here
ever has a cell in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from activities.schema.columns import matched_columns
from activities.schema.field_reader import Broken, FieldReader, compile_field
from activities.schema.table_schema import TableSchema
from workflows.errors import InvalidCsv

__all__ = ["InvalidCsv", "RowChecker", "SchemaFault", "UniqueKey"]


class SchemaFault(NamedTuple):
    """Why a row does not fit: the column as the file names it, and the rule that is broken."""

    column: str
    rule: str


class UniqueKey(NamedTuple):
    """One key that rows must not share. `fault` is that of a row that repeats it."""

    name: str
    fault: SchemaFault


class _Key(NamedTuple):
    name: str
    parts: tuple[tuple[int, FieldReader], ...]


@dataclass(frozen=True, slots=True)
class RowChecker:
    """Holds rows to a schema. Made by `compile`; safe to use from several threads.

    `names` has for each column of the file the name that it has in a typed row: that of its field where it has one.
    """

    names: tuple[str, ...]
    unique_keys: tuple[UniqueKey, ...]
    _columns: tuple[str, ...]
    _reads: tuple[Callable[[str], Any], ...]
    _checked: tuple[tuple[int, Callable[[str], Any]], ...]
    _keys: tuple[_Key, ...]

    @classmethod
    def compile(cls, schema: TableSchema, columns: Sequence[str], *, null: str | None, decimal: str) -> RowChecker:
        """Return the checker of a file with these columns.

        Args:
            schema: what its rows must fit.
            columns: the names of its columns, each once, as `activities.source.header` makes them.
            null: a text that stands for no value in every column, beside those of the schema.
            decimal: the decimal separator of numbers whose field says none.

        Raises:
            InvalidCsv: columns that the schema wants are not there, or some that it does not want are.
            InvalidSchema: a field cannot be used with this decimal separator.
        """
        matched = matched_columns(schema, columns)
        required = {*schema.primary_key}
        readers = {
            at: compile_field(field, schema, null=null, decimal=decimal, required=field.name in required)
            for at, (field, _) in matched.items()
        }
        at_of = {field.name: at for at, (field, _) in reversed(matched.items())}
        keys, unique_keys = _compiled_keys(schema, columns, at_of, readers)
        untyped = _untyped(null)
        return cls(
            tuple(matched[at].name if at in matched else name for at, name in enumerate(columns)),
            unique_keys,
            tuple(columns),
            tuple(readers[at].read if at in readers else untyped for at in range(len(columns))),
            tuple((at, each.read) for at, each in sorted(readers.items()) if each.can_break),
            keys,
        )

    def fault(self, values: Sequence[str]) -> SchemaFault | None:
        """Return the first rule that the row breaks, by the order of its columns; None where it fits.

        What must be unique is not looked at: that is of more rows than one.
        """
        at = 0
        try:
            for at, read in self._checked:
                read(values[at])
        except Broken as broken:
            return SchemaFault(self._columns[at], broken.rule)
        return None

    def read(self, values: Sequence[str]) -> dict[str, Any] | SchemaFault:
        """Return the typed row, or why it does not fit: `fault` and `typed` for the price of one."""
        try:
            return self.typed(values)
        except Broken:
            return self.fault(values) or SchemaFault("", "")

    def typed(self, values: Sequence[str]) -> dict[str, Any]:
        """Return a row without fault by the names of its fields, as values of JSON: a missing one is null.

        A number is an int, or a float that carries its digits (`exact_numbers.dumps` writes them); NaN, INF and -INF,
        which JSON has not, are texts. Dates are text of ISO 8601. A column without a field is text.
        """
        return {name: read(value) for name, read, value in zip(self.names, self._reads, values, strict=True)}

    def keys(self, values: Sequence[str]) -> tuple[tuple[str, bytes], ...]:
        """Return what no other row may have too, of a row without fault: for each key its name and its value.

        Equal values have equal bytes, whatever they look like: 1.0 is 1. A key with a null in it is left out.
        """
        found: list[tuple[str, bytes]] = []
        for name, parts in self._keys:
            read = [(reader, reader.read(values[at])) for at, reader in parts]
            if all(value is not None for _, value in read):
                found.append((name, _joined([reader.kind.identity(value) for reader, value in read])))
        return tuple(found)


def _compiled_keys(
    schema: TableSchema, columns: Sequence[str], at_of: dict[str, int], readers: dict[int, FieldReader]
) -> tuple[tuple[_Key, ...], tuple[UniqueKey, ...]]:
    wanted: list[tuple[str, str, tuple[int, ...]]] = [
        (f"unique:{columns[at]}", "unique", (at,)) for at, each in sorted(readers.items()) if each.is_unique
    ]
    if schema.primary_key:
        wanted.append(("primaryKey", "primaryKey", tuple(at_of[each] for each in schema.primary_key)))
    for number, key in enumerate(schema.unique_keys):
        if all(each in at_of for each in key):
            wanted.append((f"uniqueKeys[{number}]", "uniqueKeys", tuple(at_of[each] for each in key)))
    keys = tuple(_Key(name, tuple((at, readers[at]) for at in parts)) for name, _, parts in wanted)
    faults = [SchemaFault(", ".join(columns[at] for at in parts), rule) for _, rule, parts in wanted]
    return keys, tuple(UniqueKey(each.name, fault) for each, fault in zip(keys, faults, strict=True))


def _joined(texts: list[str]) -> bytes:
    parts = [each.encode("utf-8", "surrogatepass") for each in texts]
    return parts[0] if len(parts) == 1 else b"".join(b"%d:%b" % (len(each), each) for each in parts)


def _untyped(null: str | None) -> Callable[[str], Any]:
    return lambda cell: None if cell == null else cell
