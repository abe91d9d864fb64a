"""JSON read as it stands: a number keeps its digits, a key that comes twice is a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_text_of = json.encoder.encode_basestring


class Number(str):
    """A number with a fraction or an exponent, as its digits stand."""

    __slots__ = ()


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, is cut short, or has a key twice.
    """
    return json.loads(path.read_bytes(), parse_float=Number, object_pairs_hook=_no_key_twice)


def canonical(value: object) -> str:
    """Return canonical JSON: keys sorted, no spaces, digits as they were read."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return _text_of(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text_of(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    return json.dumps(value)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key stands twice among {[key for key, _ in pairs]}")
    return found
