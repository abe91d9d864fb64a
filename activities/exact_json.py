"""JSON read so that its numbers can be written again digit for digit.

orjson makes a float of every number with a point or an exponent and of every integer past 64 bits, and a float is
rounded: `12345678901234567890123` would come out as `1.2345678901234568e+22`. So a document that holds such a number is
read a second time, and its numbers kept as the text they were. Most documents hold none, and pay a look at the types of
their values only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

_INEXACT_TYPES = frozenset({float, dict, list})
"""Values that are, or may hold, a number that orjson does not keep."""

_INEXACT = re.compile(rb"[:\[,\s](?:-?[0-9]+[.eE]|-?[0-9]{19}|-0)")
"""Finds every such number in a document; in a text it may find one too many, which costs time only."""

_KEPT_DIGITS = 18
"""An integer of so many characters fits into 64 bits."""


class NumberTypes(NamedTuple):
    """What is made of the text of a number in a document that holds one that orjson does not keep."""

    real: Callable[[str], Any]
    integer: Callable[[str], Any]


def _integer(text: str) -> Any:
    return int(text) if len(text) <= _KEPT_DIGITS and text != "-0" else orjson.Fragment(text)


WRITTEN_ONLY = NumberTypes(orjson.Fragment, _integer)
"""For numbers that are written again and nothing else: `orjson.dumps` knows them, and they equal nothing."""


def loads(document: bytes, numbers: NumberTypes = WRITTEN_ONLY) -> Any:
    """Return the value of a JSON document; `orjson.dumps` writes its numbers as they stood in it.

    A number that would be changed is an `orjson.Fragment` of its text, or what `numbers` makes of it.

    Raises:
        ValueError: it is no JSON, or holds such a number and is nested too deeply for this Python to keep it.
    """
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            raise
        return _writable(_exact(document, numbers))  # `1e400` is a number of JSON, but none of a float
    if type(value) is dict and _INEXACT_TYPES.isdisjoint(map(type, value.values())) and b"-0" not in document:
        return value
    return _exact(document, numbers) if _INEXACT.search(document) else value


def _exact(document: bytes, numbers: NumberTypes) -> Any:
    real, integer = numbers
    try:
        return json.loads(document.decode(), parse_float=real, parse_int=integer, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _writable(value: Any) -> Any:
    """Return `value`; the standard library reads half a character where orjson does not, and cannot write it."""
    try:
        orjson.dumps(value, default=str)  # a number of another type; the texts are what matters
    except TypeError as error:
        raise ValueError("it cannot be written again") from error
    return value
