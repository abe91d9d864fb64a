"""A second reading of Table Schema, slow and plain: no regular expressions of ours, no floats, a case at a time.

It says of one cell what the specification says of it: the value, as something that Python compares exactly, or the rule
that is broken. It shares no code with what it is held against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

DIGITS = "0123456789"
NAN = "NaN"


class Broken(NamedTuple):
    rule: str


class NotOfType(Exception):
    """The cell is none of the type."""


class Duration(NamedTuple):
    months: int
    seconds: Fraction


class Moment(NamedTuple):
    """`zoned` is compared only where two are to be the same."""

    at: Fraction
    zoned: bool


def judged(field: dict[str, Any], cell: str, missing: tuple[str, ...] = ("",)) -> Any:
    """Return the value of a cell, None where it is missing, or the rule that it breaks."""
    constraints = field.get("constraints", {})
    if cell in field.get("missingValues", missing):
        return Broken("required") if constraints.get("required") else None
    try:
        value = READERS[field["type"]](field, cell)
    except NotOfType:
        return Broken("format" if field.get("format", "default") != "default" else "type")
    for rule, wanted in sorted(constraints.items()):
        if rule not in {"required", "unique"} and not _holds(rule, value, wanted, field):
            return Broken(rule)
    return value


def _holds(rule: str, value: Any, wanted: Any, field: dict[str, Any]) -> bool:
    if rule == "minLength":
        return len(value) >= wanted
    if rule == "maxLength":
        return len(value) <= wanted
    if rule == "pattern":
        return re.fullmatch(wanted, value) is not None
    read = READERS[field["type"]]
    if rule == "enum":
        return any(same(value, read(field, each)) for each in wanted)
    return _in_order(rule, value, read(field, wanted))


def _in_order(rule: str, value: Any, bound: Any) -> bool:
    if NAN in (value, bound):
        return False
    if isinstance(value, Duration):
        return all(_in_order(rule, *ends) for ends in zip(_ends(value), _ends(bound), strict=True))
    if isinstance(value, Moment):
        value, bound = value.at, bound.at
    return {
        "minimum": value >= bound,
        "maximum": value <= bound,
        "exclusiveMinimum": value > bound,
        "exclusiveMaximum": value < bound,
    }[rule]


def same(one: Any, other: Any) -> bool:
    """Return whether two values are one; true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _ends(duration: Duration) -> list[Fraction]:
    ends = []
    for year, month in ((1696, 9), (1697, 2), (1903, 3), (1903, 7)):
        count = year * 12 + month - 1 + duration.months
        days = (date(count // 12, count % 12 + 1, 1) - date(1, 1, 1)) // timedelta(days=1)
        ends.append(days * 86_400 + duration.seconds)
    return ends


def _need(condition: object) -> None:
    if not condition:
        raise NotOfType


def _all_digits(text: str, count: int | None = None) -> int:
    _need(text and all(each in DIGITS for each in text) and count in (None, len(text)))
    return int(text)


def _ungrouped(text: str, group: str) -> str:
    if not group:
        return text
    parts = text.split(group)
    _need(len(parts) == 1 or all(part and part[0] in DIGITS and part[-1] in DIGITS for part in parts))
    return "".join(parts)


def _signed(text: str) -> tuple[int, str]:
    return (-1 if text[:1] == "-" else 1), text[1:] if text[:1] in {"+", "-"} else text


def _integer(field: dict[str, Any], cell: str) -> Fraction:
    sign, text = _signed(cell.strip())
    return Fraction(sign * _all_digits(_ungrouped(text, field.get("groupChar", ""))))


def _number(field: dict[str, Any], cell: str) -> Any:
    text = cell.strip()
    special = {"nan": NAN, "inf": float("inf"), "+inf": float("inf"), "-inf": float("-inf")}
    if text.lower() in special:
        return special[text.lower()]
    sign, text = _signed(text)
    mantissa, mark, exponent = text.replace("E", "e").partition("e")
    power_sign, power = _signed(exponent)
    whole, point, fraction = mantissa.partition(field.get("decimalChar", "."))
    _need(bool(mark) == bool(exponent) and (whole or (point and fraction)))
    if whole:
        whole = _ungrouped(whole, field.get("groupChar", ""))
    digits = _all_digits(whole + fraction)
    scale = (power_sign * _all_digits(power) if mark else 0) - len(fraction)
    return sign * Fraction(digits) * Fraction(10) ** scale


def _boolean(field: dict[str, Any], cell: str) -> bool:
    true = field.get("trueValues", ["true", "True", "TRUE", "1"])
    _need(cell in true or cell in field.get("falseValues", ["false", "False", "FALSE", "0"]))
    return cell in true


def _calendar_date(text: str) -> date:
    parts = text.split("-")
    _need(len(parts) == 3)
    numbers = [_all_digits(part, count) for part, count in zip(parts, (4, 2, 2), strict=True)]
    return _made(lambda: date(*numbers))


def _made(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError:
        raise NotOfType from None


def _date(field: dict[str, Any], cell: str) -> date:
    form = field.get("format", "default")
    return _calendar_date(cell) if form == "default" else _made(lambda: datetime.strptime(cell, form).date())  # noqa: DTZ007


def _clock(text: str) -> Moment:
    zoned, offset = False, 0
    if text[-1:] == "Z":
        text, zoned = text[:-1], True
    elif len(text) > 6 and text[-6] in "+-":
        zone, text, zoned = text[-6:], text[:-6], True
        hours, minutes = _all_digits(zone[1:3], 2), _all_digits(zone[4:], 2)
        _need(zone[3] == ":" and minutes < 60 and hours * 60 + minutes <= 14 * 60)
        offset = (hours * 60 + minutes) * (-60 if zone[0] == "-" else 60)
    parts = text.split(":")
    _need(len(parts) == 3)
    hour, minute = _all_digits(parts[0], 2), _all_digits(parts[1], 2)
    seconds, point, fraction = parts[2].partition(".")
    second = _all_digits(seconds, 2) + (Fraction(_all_digits(fraction), 10 ** len(fraction)) if point else 0)
    _need(minute < 60 and second < 60 and (hour < 24 or (hour == 24 and not minute and not second)))
    return Moment(Fraction(hour * 3600 + minute * 60 - offset) + second, zoned)


def _time(_: dict[str, Any], cell: str) -> Moment:
    return _clock(cell)


def _datetime(_: dict[str, Any], cell: str) -> Moment:
    day, mark, clock = cell.partition("T")
    _need(mark)
    days = (_calendar_date(day) - date(1, 1, 1)) // timedelta(days=1)
    moment = _clock(clock)
    return Moment(days * 86_400 + moment.at, moment.zoned)


def _year(_: dict[str, Any], cell: str) -> Fraction:
    text = cell.removeprefix("-")
    year = _all_digits(text)
    _need(year and len(text) >= 4 and (len(text) == 4 or text[0] != "0"))
    return Fraction(-year if cell[0] == "-" else year)


def _yearmonth(field: dict[str, Any], cell: str) -> tuple[Fraction, int]:
    year, mark, month = cell.rpartition("-")
    _need(mark and 1 <= _all_digits(month, 2) <= 12)
    return _year(field, year), int(month)


def _duration(_: dict[str, Any], cell: str) -> Duration:
    sign, text = (-1, cell[1:]) if cell[:1] == "-" else (1, cell)
    _need(text[:1] == "P")
    days, mark, clock = text[1:].partition("T")
    _need(clock if mark else days)
    years, months, whole_days = _parts(days, "YMD")
    hours, minutes, seconds = _parts(clock, "HMS")
    _need(all(each.denominator == 1 for each in (years, months, whole_days, hours, minutes)))
    total = ((whole_days * 24 + hours) * 60 + minutes) * 60 + seconds
    return Duration(int(sign * (years * 12 + months)), sign * total)


def _parts(text: str, letters: str) -> list[Fraction]:
    found = []
    for letter in letters:
        number, mark, rest = text.partition(letter)
        if not mark:
            found.append(Fraction(0))
            continue
        whole, point, fraction = number.partition(".")
        _need(not point or (letter == "S" and fraction))
        found.append(Fraction(_all_digits(whole + fraction), 10 ** len(fraction)))
        _need(whole)
        text = rest
    _need(not text)
    return found


def _string(_: dict[str, Any], cell: str) -> str:
    return cell


def _json(kind: type) -> Callable[[dict[str, Any], str], Any]:
    def read(_: dict[str, Any], cell: str) -> Any:
        value = _made(lambda: json.loads(cell, parse_float=Fraction, parse_int=Fraction, parse_constant=_refused))
        _need(isinstance(value, kind))
        return value

    return read


def _refused(name: str) -> Any:
    raise ValueError(name)


def _list(field: dict[str, Any], cell: str) -> list[Any]:
    read = READERS[field.get("itemType", "string")]
    return [read({}, each) for each in cell.split(field.get("delimiter", ","))]


READERS: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "string": _string,
    "any": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "year": _year,
    "yearmonth": _yearmonth,
    "duration": _duration,
    "object": _json(dict),
    "array": _json(list),
    "list": _list,
}
