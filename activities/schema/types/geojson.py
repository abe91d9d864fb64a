"""Whether a JSON object is one of GeoJSON (RFC 7946) or of TopoJSON, by its own members and those within."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_LEAST_IN_RING = 4


def is_geojson(value: Any) -> bool:
    """Return whether `value` is a geometry, a Feature or a FeatureCollection."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "FeatureCollection":
        return _all(
            value.get("features"),
            lambda each: isinstance(each, dict) and each.get("type") == "Feature" and is_geojson(each),
        )
    if kind == "Feature":
        has_properties = "properties" in value and isinstance(value["properties"], dict | None)
        return has_properties and "geometry" in value and (value["geometry"] is None or _is_geometry(value["geometry"]))
    return _is_geometry(value)


def is_topojson(value: Any) -> bool:
    """Return whether `value` is a Topology, or a geometry of one."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "Topology":
        objects = value.get("objects")
        return (
            isinstance(objects, dict)
            and all(map(is_topojson, objects.values()))
            and isinstance(value.get("arcs"), list)
        )
    if kind == "GeometryCollection":
        return _all(value.get("geometries"), is_topojson)
    if kind in {"Point", "MultiPoint"}:
        return isinstance(value.get("coordinates"), list)
    return kind is None or (kind in _COORDINATES and isinstance(value.get("arcs"), list))


def numbers_in(values: Any) -> bool:
    """Return whether `values` is a list of numbers."""
    return _all(values, lambda each: isinstance(each, int | float) and not isinstance(each, bool))


def _is_geometry(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind == "GeometryCollection":
        return _all(value.get("geometries"), _is_geometry)
    fits = _COORDINATES.get(kind) if isinstance(kind, str) else None
    return fits is not None and fits(value.get("coordinates"))


def _position(value: Any) -> bool:
    return numbers_in(value) and len(value) >= 2  # noqa: PLR2004 - longitude and latitude


def _positions(value: Any) -> bool:
    return _all(value, _position)


def _line(value: Any) -> bool:
    return _positions(value) and len(value) >= 2  # noqa: PLR2004 - a line has two ends


def _ring(value: Any) -> bool:
    return _positions(value) and len(value) >= _LEAST_IN_RING and value[0] == value[-1]


def _polygon(value: Any) -> bool:
    return _all(value, _ring)


def _all(values: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(fits, values))


_COORDINATES: dict[str, Callable[[Any], bool]] = {
    "Point": lambda value: value == [] or _position(value),
    "MultiPoint": _positions,
    "LineString": lambda value: value == [] or _line(value),
    "MultiLineString": lambda value: _all(value, _line),
    "Polygon": _polygon,
    "MultiPolygon": lambda value: _all(value, _polygon),
}
