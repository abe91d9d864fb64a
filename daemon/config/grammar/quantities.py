"""Durations and rates as people write them: `24h`, `1000/min`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|day|days)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|h|day)")
_UNIT_S = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "days": 86_400.0,
}
MOST_S = 30 * 86_400.0
"""Thirty days: longer than that nobody waits for an API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRate:
    """At most `calls` calls in each `per_s` seconds."""

    calls: float
    per_s: float

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "min", 3_600.0: "h", 86_400.0: "day"}[self.per_s]
        return f"{self.calls:.15g}/{unit}"


def duration_s(value: object) -> float:
    """Return the seconds of a duration such as `500ms`, `90s`, `10min`, `24h` or `2d`.

    Raises:
        ValueError: it is no duration, or none from 1 ms to 30 days.
    """
    if isinstance(value, float):
        return value  # a default, or one that was read before
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a duration with its unit, such as "90s", "10min" or "24h" (ms, s, min, h, d)')
    seconds = float(found[1]) * _UNIT_S[found[2]]
    if not _UNIT_S["ms"] <= seconds <= MOST_S:
        raise ValueError("must be a duration from 1ms to 30d")
    return seconds


def duration_text(seconds: float) -> str:
    """Return seconds as a duration that reads the same: `24h`, `90s`, `1.5s`."""
    for unit in ("h", "min", "s"):
        if seconds >= _UNIT_S[unit] and seconds % _UNIT_S[unit] == 0:
            return f"{seconds / _UNIT_S[unit]:.15g}{unit}"
    return f"{seconds:.15g}s"


def call_rates(value: object) -> tuple[CallRate, ...]:
    """Return the rates that a text such as `1000/min`, or a list of them, means; all of them hold at once.

    Raises:
        ValueError: one of them is no rate, or two are for the same time.
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):  # a ValueError, which pydantic gathers, where a TypeError would end it
        raise ValueError('must be a rate such as "1000/min", or a list such as ["10/s", "50000/day"]')  # noqa: TRY004
    rates = tuple(each if isinstance(each, CallRate) else _call_rate(each) for each in texts)
    if len({each.per_s for each in rates}) < len(rates):
        raise ValueError("has two rates for the same time; keep the lower one")
    return rates


def _call_rate(text: object) -> CallRate:
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('must be a rate such as "10/s", "1000/min", "5000/h" or "50000/day"')
    if float(found[1]) == 0:
        raise ValueError("must be a rate above 0; leave rate out for no limit")
    if found[2] != "s" and not float(found[1]).is_integer():
        raise ValueError("must be a whole number of calls: only a rate per second may have a fraction")
    return CallRate(calls=float(found[1]), per_s=_UNIT_S[found[2]])


def _schema(pattern: re.Pattern[str]) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern.pattern}$"}


Duration = Annotated[float, BeforeValidator(duration_s), WithJsonSchema(_schema(_DURATION))]
CallRates = Annotated[
    tuple[CallRate, ...],
    BeforeValidator(call_rates),
    WithJsonSchema({"anyOf": [_schema(_RATE), {"type": "array", "items": _schema(_RATE)}]}),
]
