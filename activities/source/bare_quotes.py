"""Quotes inside fields that have none around them, counted in the text of records whose fields were told apart.

Only where quotes are doubled inside quotes, and the delimiter is one character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache


def count_bare_quotes(text: str, rows: Iterable[Sequence[str]], delimiter: str, quote: str = '"') -> int:
    """Return how many quotes of `text` are a part of unquoted fields.

    `rows` are the values of its records, all of which are sound. A quote in them was a bare one or a doubled one.
    """
    kept = "".join(map("".join, rows)).count(quote)
    if not kept or 2 * quote not in text:
        return kept
    return _pattern(delimiter, quote).findall(text).count("")


def can_have_bare_quotes(units: bytes, delimiter: str) -> bool:
    """Return whether a record of plain form may have one; False is certain. `units` are without its line end."""
    if b'"' not in units:
        return False
    return _without_pattern(delimiter).fullmatch(units) is None


@lru_cache(maxsize=64)
def _pattern(delimiter: str, quote: str) -> re.Pattern[str]:
    """Return the pattern of a quoted field, of which group 1 is the last quote, or of a quote outside any.

    In a sound record a quote begins a quoted field exactly where a delimiter or a line end, or nothing, is before it.
    """
    mark, inside = re.escape(quote), f"[^{re.escape(quote)}]*+"
    opening = rf"(?<![^{re.escape(delimiter)}\r\n]{mark})"
    return re.compile(f"{mark}(?:{opening}{inside}(?:{mark}{mark}{inside})*+({mark})|)")


@lru_cache(maxsize=64)
def _without_pattern(delimiter: str) -> re.Pattern[bytes]:
    separator = re.escape(delimiter)
    field = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^"{separator}\r\n]*+)'
    return re.compile(f"{field}(?:{separator}{field})*+".encode("latin-1"))
