"""How many calls an API allows in which time, as its section of the configuration says: `10/s`, `50000/day`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from workflows.errors import SettingsError

UNITS_S = {"s": 1, "min": 60, "h": 3_600, "day": 86_400}

_RATE = re.compile(r"(?P<calls>[0-9]+(?:[.][0-9]+)?)/(?P<unit>s|min|h|day)")


@dataclass(frozen=True, slots=True)
class Window:
    """At most `calls` in any `length_s` seconds."""

    calls: int
    length_s: int

    def __str__(self) -> str:
        unit = next(name for name, length_s in UNITS_S.items() if length_s == self.length_s)
        return f"{self.calls}/{unit}"


@dataclass(frozen=True, slots=True)
class Rates:
    """`per_s` is what calls are spread out to, 0 for no limit; `windows` are counted, and the counts are kept."""

    per_s: float = 0.0
    windows: tuple[Window, ...] = ()


def parsed_rates(texts: str | Iterable[str]) -> Rates:
    """Return what one rate or several come to; of two for the same unit, the lower one holds.

    Raises:
        SettingsError: one is no rate; the message quotes it.
    """
    per_s = 0.0
    windows: dict[int, int] = {}
    for text in [texts] if isinstance(texts, str) else texts:
        calls, length_s = _parsed(text)
        if length_s == 1:
            per_s = min(per_s or calls, calls)
        elif calls == int(calls):
            windows[length_s] = min(windows.get(length_s, int(calls)), int(calls))
        else:
            raise SettingsError(f"rate {text!r}: only a rate per second may have a fraction")
    return Rates(per_s, tuple(Window(calls, length_s) for length_s, calls in sorted(windows.items())))


def _parsed(text: str) -> tuple[float, int]:
    found = _RATE.fullmatch(text.replace(" ", ""))
    if found is None or not float(found["calls"]):
        raise SettingsError(f"rate {text!r} is not N/s, N/min, N/h or N/day with N above 0, such as 1000/min")
    return float(found["calls"]), UNITS_S[found["unit"]]
