"""Patterns of strptime, compiled: a date by a pattern costs a tenth of what `datetime.strptime` takes.

Patterns with a directive that is not in `_PARTS` are left to the standard library. Digits are those of ASCII; names of
months and `AM` and `PM` are English.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Literal

from activities.schema.findings import Unusable

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = "january|february|march|april|may|june|july|august|september|october|november|december"
_SHORT_FOR = {"%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y", "%F": "%Y-%m-%d", "%e": "%d", "%h": "%b"}
_PARTS = {
    "%d": r"(?P<day>3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9])",
    "%m": r"(?P<month>1[0-2]|0[1-9]|[1-9])",
    "%b": rf"(?P<name>{'|'.join(_MONTHS)})",
    "%B": rf"(?P<name>{_NAMES})",
    "%Y": r"(?P<year>[0-9]{4})",
    "%y": r"(?P<short_year>[0-9]{2})",
    "%H": r"(?P<hour>2[0-3]|[01][0-9]|[0-9])",
    "%I": r"(?P<half_hour>1[0-2]|0[1-9]|[1-9])",
    "%M": r"(?P<minute>[0-5][0-9]|[0-9])",
    "%S": r"(?P<second>6[01]|[0-5][0-9]|[0-9])",
    "%f": r"(?P<fraction>[0-9]{1,6})",
    "%p": r"(?P<half>am|pm)",
    "%%": "%",
}
_DIRECTIVE = re.compile(r"%.|\s+|[^%\s]", re.DOTALL)
_LAST_SHORT_YEAR = 68
"""POSIX: 69 to 99 are of the last century."""

_EXAMPLE = datetime(2006, 11, 21, 16, 30, 5)  # noqa: DTZ001 - it stands for any


def compile_pattern(pattern: str, kind: Literal["date", "time", "datetime"]) -> Callable[[str], str]:
    """Return what reads a cell by `pattern` into text of ISO 8601; raises ValueError where it does not fit.

    Raises:
        Unusable: it is no pattern of strptime.
    """
    full = re.sub("%.", lambda found: _SHORT_FOR.get(found[0], found[0]), pattern)
    directives = re.findall("%.", full)
    if not [each for each in directives if each != "%%"]:
        raise Unusable(
            "format", f"{pattern!a} is no format of a {kind}: there is default, any, and patterns such as %Y"
        )
    if all(each in _PARTS for each in directives) and len({*directives}) == len(directives):
        try:
            matcher = re.compile("".join(map(_part, _DIRECTIVE.findall(full))), re.IGNORECASE | re.ASCII)
        except re.error:
            pass  # a month by its number and by its name
        else:
            return _compiled(matcher, kind)
    return _by_the_library(full, pattern, kind)


def _part(part: str) -> str:
    return _PARTS.get(part) or (r"\s+" if part.isspace() else re.escape(part))


def _compiled(matcher: re.Pattern[str], kind: Literal["date", "time", "datetime"]) -> Callable[[str], str]:
    is_by_numbers = kind == "date" and matcher.groupindex.keys() == {"year", "month", "day"}

    def read(cell: str) -> str:
        found = matcher.match(cell)
        if found is None or found.end() != len(cell):
            raise ValueError("it is not of this format")
        if is_by_numbers:
            year, month, day = found.group("year", "month", "day")
            return date(int(year), int(month), int(day)).isoformat()
        parts = found.groupdict()
        calendar_date = _date_of(parts) if kind != "time" else None
        clock = _time_of(parts) if kind != "date" else None
        return "T".join(each.isoformat() for each in (calendar_date, clock) if each is not None)

    return read


def _date_of(parts: dict[str, str]) -> date:
    year = int(parts.get("year") or 1900)
    if "short_year" in parts:
        year = int(parts["short_year"])
        year += 2000 if year <= _LAST_SHORT_YEAR else 1900
    month = _MONTHS.index(parts["name"][:3].lower()) + 1 if "name" in parts else int(parts.get("month") or 1)
    return date(year, month, int(parts.get("day") or 1))


def _time_of(parts: dict[str, str]) -> time:
    hour = int(parts.get("hour") or 0)
    if "half_hour" in parts and "hour" not in parts:
        hour = int(parts["half_hour"]) % 12 + (12 if parts.get("half", "").lower() == "pm" else 0)
    fraction = int(parts.get("fraction", "").ljust(6, "0"))
    return time(hour, int(parts.get("minute") or 0), int(parts.get("second") or 0), fraction)


def _by_the_library(full: str, pattern: str, kind: Literal["date", "time", "datetime"]) -> Callable[[str], str]:
    has_year = re.search("%[YyGcx]", full) is not None
    front, whole = ("", full) if has_year else ("1900|", f"%Y|{full}")  # a day without a year is of that one

    def read(cell: str) -> str:
        moment = datetime.strptime(front + cell, whole)  # noqa: DTZ007 - the zone is in the cell, or there is none
        if kind == "date":
            return moment.date().isoformat()
        return moment.timetz().isoformat() if kind == "time" else moment.isoformat()

    try:
        read(_EXAMPLE.strftime(full))
    except (ValueError, re.error) as error:
        if "bad directive" in str(error) or isinstance(error, re.error) or "stray %" in str(error):
            raise Unusable("format", f"{pattern!a} is no pattern of strptime: {error}") from error
    return read
