"""The format `any` of dates and times: ISO 8601 in all its forms, and dates with the month in English words.

What can be read in two ways is not read: whether `01/02/2024` is in January or in February nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day{0}>[0-9]{{1,2}})(?:st|nd|rd|th)?"
_BETWEEN = r"(?:\s+|\s*[-/,]\s*)"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_CLOCK = (
    r"(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?P<fraction>\.[0-9]{1,6})?)?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?"
)
_WORDS = re.compile(
    _WEEKDAY
    + rf"(?:{_DAY.format(1)}{_BETWEEN}(?:of\s+)?{_MONTH.format(1)}|{_MONTH.format(2)}{_BETWEEN}{_DAY.format(2)})"
    + rf",?{_BETWEEN}(?P<year>[0-9]{{4}})(?:(?:,?\s+(?:at\s+)?){_CLOCK})?",
    re.IGNORECASE | re.ASCII,
)
_YEAR_FIRST = re.compile(
    rf"(?P<year>[0-9]{{4}})[-/.](?P<number>[0-9]{{1,2}})[-/.](?P<day1>[0-9]{{1,2}})(?:(?:T|\s+){_CLOCK})?",
    re.IGNORECASE | re.ASCII,
)
_TIME = re.compile(_CLOCK, re.IGNORECASE | re.ASCII)
_NOON = 12


def free_reader(kind: Literal["date", "time", "datetime"]) -> Callable[[str], str]:
    """Return what reads a cell into text of ISO 8601; raises ValueError where it is not understood."""
    return {"date": _date, "time": _time, "datetime": _moment}[kind]


def _date(cell: str) -> str:
    text = cell.strip()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return _moment(text)[:10]


def _moment(cell: str) -> str:
    text = cell.strip()
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        found = _WORDS.fullmatch(text) or _YEAR_FIRST.fullmatch(text)
    if found is None:
        raise ValueError("it is no date that can be read in one way")
    parts = {key: each or "" for key, each in found.groupdict().items()}
    name = parts.get("month1") or parts.get("month2") or ""
    month = _MONTHS.index(name[:3].lower()) + 1 if name else int(parts["number"])
    day = date(int(parts["year"]), month, int(parts["day1"] or parts["day2"]))
    clock = _time_of(parts) if parts["hour"] else time()
    return datetime.combine(day, clock).isoformat()


def _time(cell: str) -> str:
    found = _TIME.fullmatch(cell.strip())
    if found is None:
        raise ValueError("it is no time that can be read in one way")
    return _time_of({key: each or "" for key, each in found.groupdict().items()}).isoformat()


def _time_of(parts: dict[str, str]) -> time:
    hour = int(parts["hour"])
    if parts["half"]:
        if not 1 <= hour <= _NOON:
            raise ValueError("there is no such hour")
        hour = hour % _NOON + (_NOON if parts["half"][0] in "pP" else 0)
    elif not parts["minute"]:
        raise ValueError("a number alone is no time")
    fraction = int(parts["fraction"][1:].ljust(6, "0"))
    return time(hour, int(parts["minute"] or 0), int(parts["second"] or 0), fraction, _zone(parts["zone"]))


def _zone(text: str) -> timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
