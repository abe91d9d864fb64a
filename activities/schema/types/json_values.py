"""`object`, `array`, `geojson`, `geopoint` and `list`: values with parts. Numbers in them keep their digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.api.mapping.exact_numbers import loads
from activities.schema.field import Field
from activities.schema.findings import Unusable
from activities.schema.types.cell_type import LENGTH, CellType, from_json_text
from activities.schema.types.geojson import is_geojson, is_topojson, numbers_in
from activities.schema.types.numbers import number_type

_MOST_EAST, _MOST_NORTH = 180, 90


def object_type() -> CellType:
    """Return the type of JSON objects."""
    read = _reader(dict)
    return CellType(read=read, read_json=from_json_text(read), served=LENGTH)


def array_type() -> CellType:
    """Return the type of JSON arrays."""
    read = _reader(list)
    return CellType(read=read, read_json=from_json_text(read), served=LENGTH)


def geojson_type(field: Field) -> CellType:
    """Return the type of GeoJSON (RFC 7946), or of TopoJSON.

    Raises:
        Unusable: there is no such format.
    """
    fits = _chosen(field, {"default": is_geojson, "topojson": is_topojson})
    parse = _reader(dict)

    def read(cell: str) -> Any:
        value = parse(cell)
        if not fits(value):
            raise ValueError("it is no GeoJSON")
        return value

    return CellType(read=read, read_json=from_json_text(read), broken=_broken(field))


def geopoint_type(field: Field) -> CellType:
    """Return the type of points on earth: a pair of longitude and latitude, of the format `object` an object.

    Raises:
        Unusable: there is no such format.
    """
    parse = _chosen(field, {"default": _pair(), "array": _reader(list), "object": _reader(dict)})

    def read(cell: str) -> Any:
        value = parse(cell)
        if isinstance(value, dict) and value.keys() != {"lon", "lat"}:
            raise ValueError("it has not lon and lat alone")
        point = [value["lon"], value["lat"]] if isinstance(value, dict) else value
        if len(point) != 2 or not numbers_in(point):  # noqa: PLR2004 - longitude and latitude
            raise ValueError("it is no pair of numbers")
        if abs(point[0]) > _MOST_EAST or abs(point[1]) > _MOST_NORTH:
            raise ValueError("it is not on earth")
        return value

    return CellType(read=read, read_json=from_json_text(read), broken=_broken(field))


def list_type(field: Field, item: CellType) -> CellType:
    """Return the type of values of one type with a delimiter between them.

    Raises:
        Unusable: the delimiter is no text.
    """
    delimiter = field.options.get("delimiter", ",")
    if not isinstance(delimiter, str) or not delimiter:
        raise Unusable("delimiter", "it must be text, and not an empty one")

    def read(cell: str) -> list[Any]:
        return [item.read(each) for each in cell.split(delimiter)]

    return CellType(read=read, served=LENGTH)


def _reader(kind: type) -> Callable[[str], Any]:
    def read(cell: str) -> Any:
        value = loads(cell.encode())
        if type(value) is not kind:
            raise ValueError("it is another value of JSON")
        return value

    return read


def _pair() -> Callable[[str], list[Any]]:
    number = number_type(Field(name=""), ".")

    def read(cell: str) -> list[Any]:
        return [number.read(each) for each in cell.split(",")]

    return read


def _chosen(field: Field, formats: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    try:
        return formats[field.format]
    except KeyError:
        known = ", ".join(formats)
        raise Unusable("format", f"there is no format {field.format!a} of a {field.type}; there is {known}") from None


def _broken(field: Field) -> Any:
    return "type" if field.format == "default" else "format"
