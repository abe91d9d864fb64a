"""`duration` of XML Schema: months and seconds, of which one is not always less or more than the other.

P1M is neither less than P30D nor more: it depends on the month. Section 3.2.6.2 of XML Schema part 2 compares two
durations by adding both to four moments; only what holds for all four is certain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from activities.schema.types.cell_type import CellType

_DIGITS = "[0-9]{1,18}"
_DURATION = re.compile(
    rf"(?P<sign>-?)P(?=[0-9T])(?:(?P<years>{_DIGITS})Y)?(?:(?P<months>{_DIGITS})M)?(?:(?P<days>{_DIGITS})D)?"
    rf"(?:T(?=[0-9])(?:(?P<hours>{_DIGITS})H)?(?:(?P<minutes>{_DIGITS})M)?"
    rf"(?:(?P<seconds>{_DIGITS}(?:\.[0-9]{{1,100}})?)S)?)?"
)
_STARTS = ((1696, 9), (1697, 2), (1903, 3), (1903, 7))
"""Year and month of the moments that the specification adds durations to."""


@dataclass(frozen=True, slots=True)
class Length:
    """A duration by the four moments it leads to, in seconds. A comparison is True only where it holds for all."""

    ends_s: tuple[Decimal, ...]

    def __lt__(self, other: Length) -> bool:
        return all(mine < others for mine, others in zip(self.ends_s, other.ends_s, strict=True))

    def __le__(self, other: Length) -> bool:
        return all(mine <= others for mine, others in zip(self.ends_s, other.ends_s, strict=True))

    def __gt__(self, other: Length) -> bool:
        return other < self

    def __ge__(self, other: Length) -> bool:
        return other <= self


def duration_type() -> CellType:
    """Return the type of durations; the value is the cell as it stands."""
    return CellType(read=_read, identity=_identity, order=_order)


def _read(cell: str) -> str:
    if _DURATION.fullmatch(cell) is None:
        raise ValueError("it is no duration")
    return cell


def _months_and_seconds(value: str) -> tuple[int, Decimal]:
    found = _DURATION.fullmatch(value)
    parts = found.groupdict("0") if found else {}
    sign = -1 if value[0] == "-" else 1
    months = int(parts["years"]) * 12 + int(parts["months"])
    whole = (int(parts["days"]) * 24 + int(parts["hours"])) * 3600 + int(parts["minutes"]) * 60
    whole_s, _, fraction = parts["seconds"].partition(".")
    exact = Decimal(f"{whole + int(whole_s)}.{fraction or 0}")  # adding decimals would round
    return sign * months, exact.copy_sign(sign)


def _identity(value: str) -> str:
    months, seconds = _months_and_seconds(value)
    text = f"{seconds:f}".rstrip("0").rstrip(".")
    return f"{months} {'0' if text == '-0' else text}"


def _order(value: str) -> Length:
    months, seconds = _months_and_seconds(value)
    return Length(tuple(_days(year, month - 1 + months) * 86_400 + seconds for year, month in _STARTS))


def _days(year: int, months: int) -> int:
    """Return the days from 1 March of the year 0 to the first of the month that is `months` after January `year`."""
    year, month = year + months // 12, months % 12
    year, month = (year - 1, month + 10) if month < 2 else (year, month - 2)  # noqa: PLR2004 - a year from March on
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5
