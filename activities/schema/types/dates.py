"""`date`, `time`, `datetime`, `year` and `yearmonth`. The value is text of ISO 8601, of `year` a whole number.

Two moments are compared in UTC; one without a time zone counts as in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any, Literal

from activities.schema.field import Field
from activities.schema.types.cell_type import CellType, as_it_is, from_json_text
from activities.schema.types.date_patterns import compile_pattern
from activities.schema.types.free_dates import free_reader

Kind = Literal["date", "time", "datetime"]
Moment = tuple[int, str]
"""Seconds, and the digits of the part of a second behind them."""

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?)"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
_TIME_OF_DAY = re.compile(rf"{_CLOCK}{_ZONE}")
_MOMENT = re.compile(rf"({_DATE})T{_CLOCK}{_ZONE}")
_YEAR = re.compile(rf"(-?(?:[1-9][0-9]{{3,17}}|0[0-9]{{3}})){_ZONE}")
_YEAR_MONTH = re.compile(rf"(-?(?:[1-9][0-9]{{3,17}}|0[0-9]{{3}}))-(0[1-9]|1[0-2]){_ZONE}")
_DATE_CHARS = 10


def date_type(field: Field, kind: Kind) -> CellType:
    """Return the type of dates, times, or both.

    Raises:
        Unusable: the format is no pattern of strptime.
    """
    name = field.format.removeprefix("fmt:")
    order = _ORDERS[kind]
    if name == "default":
        return CellType(read=_DEFAULTS[kind], order=order, identity=_identity(kind))
    default = _DEFAULTS[kind]
    found = free_reader(kind) if name == "any" else compile_pattern(name, kind)

    def read(cell: str) -> str:
        return default(found(cell))  # a time zone with seconds in it is none of ISO 8601

    return CellType(read=found if kind == "date" else read, broken="format", order=order, identity=_identity(kind))


def year_type() -> CellType:
    """Return the type of years, as `gYear` of XML Schema."""
    return CellType(read=_year, read_json=from_json_text(_year), order=as_it_is)


def year_month_type() -> CellType:
    """Return the type of months of a year, as `gYearMonth` of XML Schema."""
    return CellType(read=_year_month, order=_order_of_year_month, identity=as_it_is)


def _read_date(cell: str) -> str:
    if len(cell) != _DATE_CHARS or cell[7] != "-":
        raise ValueError("it is no date")
    date.fromisoformat(cell)
    return cell


def _read_time(cell: str) -> str:
    if _TIME_OF_DAY.fullmatch(cell) is None:
        raise ValueError("it is no time")
    return cell


def _read_moment(cell: str) -> str:
    found = _MOMENT.fullmatch(cell)
    if found is None:
        raise ValueError("it is no date with a time")
    date.fromisoformat(found[1])
    return cell


_DEFAULTS: dict[Kind, Callable[[str], str]] = {"date": _read_date, "time": _read_time, "datetime": _read_moment}


def _time_order(value: str) -> Moment:
    clock, zone = value[:8], value[8:].lstrip(".0123456789")
    hours, minutes, seconds = map(int, clock.split(":"))
    fraction = value[8 : len(value) - len(zone)].strip(".").rstrip("0")
    return hours * 3600 + minutes * 60 + seconds - _offset_s(zone), fraction


def _moment_order(value: str) -> Moment:
    seconds, fraction = _time_order(value[_DATE_CHARS + 1 :])
    return date.fromisoformat(value[:_DATE_CHARS]).toordinal() * 86_400 + seconds, fraction


def _offset_s(zone: str) -> int:
    if zone in {"", "Z"}:
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -seconds if zone[0] == "-" else seconds


_ORDERS: dict[Kind, Callable[[str], Any]] = {
    "date": as_it_is,
    "time": _time_order,
    "datetime": _moment_order,
}


def _identity(kind: Kind) -> Callable[[str], str]:
    order = _ORDERS[kind]

    def identity(value: str) -> str:
        """Return the moment; one with a time zone equals none without."""
        if kind == "date":
            return value
        clock = value[_DATE_CHARS + 1 :] if kind == "datetime" else value
        seconds, fraction = order(value)
        return f"{seconds}.{fraction}{'Z' if clock[-1] == 'Z' or '+' in clock or '-' in clock else ''}"

    return identity


def _year(cell: str) -> int:
    found = _YEAR.fullmatch(cell)
    if found is None or not int(found[1]):
        raise ValueError("it is no year")
    return int(found[1])


def _year_month(cell: str) -> str:
    found = _YEAR_MONTH.fullmatch(cell)
    if found is None or not int(found[1]):
        raise ValueError("it is no month of a year")
    return cell


def _order_of_year_month(value: str) -> tuple[int, int]:
    found = _YEAR_MONTH.fullmatch(value)
    return (int(found[1]), int(found[2])) if found else (0, 0)
