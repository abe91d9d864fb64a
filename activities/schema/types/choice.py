"""Which type a field has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from activities.schema.field import Field
from activities.schema.findings import Unusable
from activities.schema.types.cell_type import CellType
from activities.schema.types.dates import date_type, year_month_type, year_type
from activities.schema.types.durations import duration_type
from activities.schema.types.json_values import array_type, geojson_type, geopoint_type, list_type, object_type
from activities.schema.types.numbers import boolean_type, integer_type, number_type
from activities.schema.types.texts import any_type, string_type

_ITEM_TYPES = ("string", "integer", "boolean", "number", "datetime", "date", "time")
_TYPES: dict[str, Callable[[Field, str], CellType]] = {
    "string": lambda field, _: string_type(field),
    "integer": lambda field, _: _categorical(integer_type(field)),
    "number": number_type,
    "boolean": lambda field, _: boolean_type(field),
    "date": lambda field, _: date_type(field, "date"),
    "time": lambda field, _: date_type(field, "time"),
    "datetime": lambda field, _: date_type(field, "datetime"),
    "year": lambda *_: year_type(),
    "yearmonth": lambda *_: year_month_type(),
    "duration": lambda *_: duration_type(),
    "geopoint": lambda field, _: geopoint_type(field),
    "geojson": lambda field, _: geojson_type(field),
    "object": lambda *_: object_type(),
    "array": lambda *_: array_type(),
    "list": lambda field, decimal: list_type(field, _item(field, decimal)),
    "any": lambda *_: any_type(),
}
TYPES = tuple(_TYPES)
_WITH_FORMATS = frozenset({"string", "date", "time", "datetime", "geopoint", "geojson"})


def cell_type(field: Field, decimal: str = ".") -> CellType:
    """Return the type of `field`; `decimal` is the decimal separator of numbers whose field says none.

    Raises:
        Unusable: there is no such type or format, or a property of it cannot be used.
    """
    if field.type not in _TYPES:
        raise Unusable("type", f"there is no type {field.type!a}; there is {', '.join(TYPES)}")
    if field.format != "default" and field.type not in {*_WITH_FORMATS, "any"}:
        raise Unusable("format", f"the type {field.type} has no format but default")
    return _TYPES[field.type](field, decimal)


def _categorical(whole: CellType) -> CellType:
    return replace(whole, served=whole.served | {"categories"})


def _item(field: Field, decimal: str) -> CellType:
    item = field.options.get("itemType", "string")
    if item not in _ITEM_TYPES:
        raise Unusable("itemType", f"{item!a} is no type of items; there is {', '.join(_ITEM_TYPES)}")
    return cell_type(Field(name=field.name, type=item), decimal)
