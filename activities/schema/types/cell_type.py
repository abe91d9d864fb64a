"""What each type is made of: a reader of cells, and what its values are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from activities.api.mapping.exact_numbers import ExactFloat, dumps

LENGTH = frozenset({"minLength", "maxLength"})
RANGE = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_ALL = frozenset({"required", "unique", "enum"})


def identity_of_json(value: Any) -> str:
    """Return a text that two values of JSON share where they are equal: 1.0 is 1, and the order of keys is none."""
    if isinstance(value, dict):
        members = [f"{_text(key)}:{identity_of_json(each)}" for key, each in sorted(value.items())]
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(identity_of_json, value))}]"
    if isinstance(value, bool) or value is None:
        return str(value)
    return _text(value) if isinstance(value, str) else identity_of_number(value)


def identity_of_number(value: float | str) -> str:
    """Return the text of a number without what does not count: `10.50`, `1.05E1` and `+10.5` have the same."""
    if isinstance(value, str):
        return value  # NaN, INF and -INF
    text = value.text if isinstance(value, ExactFloat) else repr(value)
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return "0"
    power = Decimal(exponent or 0) - len(fraction) + len(digits) - len(kept)
    return f"{'-' if text[0] == '-' else ''}{kept}E{power}"


def from_json_text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return what reads a value that stands in the schema as a value of JSON, by the reader of cells."""
    return lambda value: read(dumps(value).decode())


Compare = Callable[[Any, Any], bool]
Bounded = Callable[[Compare, Any], Callable[[Any], bool]]


def as_it_is(value: Any) -> Any:
    """Return `value`; what text is read as, and the order of what is compared as it is."""
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CellType:
    """How the cells of a field are read, and what constraints compare.

    `read` returns a value of JSON, and raises ValueError where a cell is not of the type; that breaks the rule
    `broken`. `read_json` does the same with a value that stands in the schema and is no text. `identity` is a text that
    equal values share. `order` makes of a value something that can be compared with the same of a bound; a comparison
    that is not certain is False. `bounded` makes the comparison itself, where it can be had faster. `reads_all`: every
    cell is of the type.
    """

    read: Callable[[str], Any]
    broken: Literal["type", "format"] = "type"
    read_json: Callable[[Any], Any] | None = None
    identity: Callable[[Any], str] = identity_of_json
    order: Callable[[Any], Any] | None = None
    bounded: Bounded | None = None
    served: frozenset[str] = frozenset()
    reads_all: bool = False

    @property
    def constraints(self) -> frozenset[str]:
        """The constraints that make sense for the type."""
        return _ALL | self.served | (RANGE if self.order else frozenset())

    def value_of(self, written: Any) -> Any:
        """Return the value that stands in a schema, as text or as a value of JSON.

        Raises:
            ValueError: it is none of this type.
        """
        if isinstance(written, str):
            return self.read(written)
        if self.read_json is None or written is None:
            raise ValueError("it is no text")
        return self.read_json(written)


def _text(text: str) -> str:
    return dumps(text).decode()
