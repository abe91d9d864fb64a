"""JSON whose numbers can be computed with, and come out digit for digit where they were only passed on.

`activities.exact_json` keeps a number that a float would round as text that nothing can compare. Expressions do compare
and add, so here such a number is a float that carries its text: what passes through is written from the text, what was
computed is a plain float. A whole number is an int, of any size.
"""

from __future__ import annotations

import re
from typing import Any, Self

import orjson

from activities import exact_json

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
"""A number of JSON (RFC 8259 section 6)."""

_MOST_DIGITS = 4_000
"""Python reads no whole number of more than 4,300 digits."""


class ExactFloat(float):
    """A float that knows how it was written. Equal to, ordered and added as the float it is."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Return the number that `text` is; an infinite one where it is too large for a float."""
        number = float.__new__(cls, text)
        number.text = text
        return number


ExactFloat.__name__ = "float"  # the functions of JMESPath know a number by the name of its type


def _integer(text: str) -> int | ExactFloat:
    return int(text) if len(text) <= _MOST_DIGITS and text != "-0" else ExactFloat(text)


_NUMBERS = exact_json.NumberTypes(ExactFloat, _integer)


def loads(document: bytes) -> Any:
    """Return the value of a JSON document, to be written by `dumps`.

    Raises:
        ValueError: as `exact_json.loads`.
    """
    return exact_json.loads(document, _NUMBERS)


def number_of(text: str) -> int | float | None:
    """Return the number that `text` is in JSON, None where it is none."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    return ExactFloat(text) if found["real"] else _integer(text)


def writable(value: Any) -> Any:
    """Return `value` such that `orjson.dumps` writes it, where `dumps` would."""
    try:
        orjson.dumps(value)
    except TypeError:
        return _with_fragments(value)
    return value


def dumps(value: Any) -> bytes:
    """Return `value` as JSON.

    Raises:
        ValueError: half a character is in it, or it is nested too deeply.
    """
    try:
        return orjson.dumps(value, default=_fragment)
    except TypeError:
        pass  # most likely a whole number that orjson has no room for
    try:
        return orjson.dumps(_with_fragments(value), default=_fragment)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"it cannot be written as JSON: {error}") from error


def _fragment(number: Any) -> orjson.Fragment:
    if isinstance(number, ExactFloat):
        return orjson.Fragment(number.text)
    raise TypeError(f"a {type(number).__name__} is nothing that JSON has")


def _with_fragments(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_fragments(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_fragments(each) for each in value]
    if isinstance(value, ExactFloat):
        return orjson.Fragment(value.text)
    return orjson.Fragment(str(value)) if type(value) is int else value
