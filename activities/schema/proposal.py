"""A schema proposed from the first rows of a file: for each column the narrowest type that all of its cells are of.

Careful rather than clever. Digits with a zero in front are text: as a number they would lose it. What can be read in
two ways (day or month first, a point between thousands or before a fraction) is text, with a word about it. What stands
for no value is taken for that only where the column is something else than text without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from activities.schema.field import Field
from activities.schema.types.choice import cell_type

_PROFILE = "https://datapackage.org/profiles/2.0/tableschema.json"
_NO_VALUES = frozenset({"-", "--", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan", "None", "none", "."})
"""Texts that people and programs write where there is no value."""

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_MAY_BE_THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}").fullmatch
_DAY_FIRST, _MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"


class _Candidate(NamedTuple):
    """A type that a column may be of; `takes` says whether one of its cells would be written so."""

    written: dict[str, Any]
    read: Callable[[str], Any]
    takes: Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A schema that `parse_schema` reads and that all `rows` rows fit; `doubts` are sentences about columns."""

    descriptor: dict[str, Any]
    rows: int
    doubts: tuple[str, ...]


class Proposer:
    """Looks at rows one by one. Holds nothing of them but which types are still possible."""

    def __init__(self, columns: Sequence[str]) -> None:
        candidates = _candidates()
        self._columns = [(name, _Column(candidates)) for name in columns]
        self._rows = 0

    def look_at(self, values: Sequence[str]) -> None:
        """Take one row into account; it has as many values as there are columns."""
        self._rows += 1
        for (_, column), cell in zip(self._columns, values, strict=True):
            column.look_at(cell)

    def proposal(self) -> Proposal:
        """Return the schema that all rows so far fit."""
        found = [(name, *column.written()) for name, column in self._columns]
        return Proposal(
            descriptor={
                "$schema": _PROFILE,
                "fieldsMatch": "subset",
                "fields": [{"name": name, **written} for name, written, _ in found],
            },
            rows=self._rows,
            doubts=tuple(f"{name}: {doubt}" for name, _, doubt in found if doubt),
        )


class _Column:
    def __init__(self, candidates: list[_Candidate]) -> None:
        self._alive = candidates
        self._no_values: dict[str, None] = {}
        self._has_values = False
        self._may_be_thousands = True

    def look_at(self, cell: str) -> None:
        if cell == "":
            return
        if cell in _NO_VALUES:
            self._no_values[cell] = None
            return
        self._has_values = True
        if self._alive:
            self._alive = [each for each in self._alive if _fits(each, cell)]
            self._may_be_thousands = self._may_be_thousands and _MAY_BE_THOUSANDS(cell) is not None

    def written(self) -> tuple[dict[str, Any], str]:
        """Return the properties of the field, and what is doubtful about them."""
        text = {"type": "string"}
        if not self._alive or not self._has_values:
            return text, "" if self._has_values else "no row has a value"
        first = self._alive[0].written
        forms = {each.written.get("format") for each in self._alive}
        if {_DAY_FIRST, _MONTH_FIRST} <= forms:
            return (
                text,
                f"dates, day or month first; as text for now: set type date and format {_DAY_FIRST} or {_MONTH_FIRST}",
            )
        if first["type"] == "number" and self._may_be_thousands:
            return text, "numbers with a fraction or with thousands; as text for now: set type number and decimalChar"
        return {**first, "missingValues": ["", *self._no_values]} if self._no_values else first, ""


def _fits(candidate: _Candidate, cell: str) -> bool:
    try:
        candidate.read(cell)
    except ValueError:
        return False
    return bool(candidate.takes(cell))


def _candidates() -> list[_Candidate]:
    """Return what a column may be, the narrowest first."""
    return [
        _candidate("boolean", takes=str.isalpha),
        _candidate("integer", takes=_PLAIN_NUMBER),
        _candidate("number", takes=_PLAIN_NUMBER, decimalChar="."),
        _candidate("number", takes=_PLAIN_NUMBER, decimalChar=","),
        _candidate("date"),
        _candidate("datetime"),
        _candidate("time"),
        *(_candidate("date", form) for form in ("%d.%m.%Y", _DAY_FIRST, _MONTH_FIRST, "%d-%m-%Y", "%Y/%m/%d")),
        *(_candidate("datetime", f"%Y-%m-%d %H:%M{rest}") for rest in (":%S", ":%S.%f", "")),
        _candidate("string", "uuid"),
        _candidate("string", "email"),
        _candidate("string", "uri", takes=lambda cell: "://" in cell),
        _candidate("object"),
        _candidate("array"),
    ]


def _candidate(kind: str, form: str = "default", takes: Callable[[str], object] = bool, **options: str) -> _Candidate:
    field = Field(name="", type=kind, format=form, options=options)
    written = {"type": kind, **({} if form == "default" else {"format": form}), **options}
    return _Candidate(written, cell_type(field).read, takes)
