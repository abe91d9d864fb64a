r"""Rows as they stand in a chunk file, made without parsing or re-encoding what is already JSON.

A chunk is a JSON array with one element to a line, `[\n{...},\n{...}\n]\n`, so that it can be read and checked line by
line in bounded memory, and joined from finished rows by plain concatenation.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

import orjson

RESERVED = frozenset({"_row", "enriched", "error"})
"""Names that are ours in every element. A source column never has one of them (see the header rules)."""

FALLBACK_REGION = "UNKNOWN"
_OPENED = b"[\n"
_BETWEEN = b",\n"
_CLOSED = b"\n]\n"
_EMPTY = b"[]\n"
_NOTHING = object()


def element(
    body: bytes, source: Mapping[str, str], number: int, added: dict[str, Any] | None, error: str | None
) -> bytes:
    """Return one row of a chunk.

    The source columns stand first and verbatim, then `_row` and `enriched`, then what the API added in the order of
    its names. What the API merely echoes is left out; what it changed of a source column is kept beside it as
    `api_<column>`, and so is an `error`, `_row` or `enriched` of its own, but for an `enriched` that is true, as ours
    is. With `error`, the row is a fallback row and `added` does not count.

    Args:
        body: the source columns as a compact JSON object.
        source: the same as a mapping.
        number: the record number.
        added: the API's answer.
        error: why there is none.
    """
    head = body[:-1] + (b"," if source else b"")
    if error is not None:
        region = free_name("region", source)
        return b'%b"_row":%d,"enriched":false,%b:"%b","error":%b}' % (
            head,
            number,
            orjson.dumps(region),
            FALLBACK_REGION.encode(),
            orjson.dumps(error),
        )
    extra = _extra(source, added or {})
    if not extra:
        return b'%b"_row":%d,"enriched":true}' % (head, number)
    return b'%b"_row":%d,"enriched":true,%b' % (head, number, _dumped(extra)[1:])


def array(elements: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the file that holds `elements`, block by block."""
    lead = _OPENED
    for each in elements:
        yield lead + each
        lead = _BETWEEN
    yield _EMPTY if lead is _OPENED else _CLOSED


def elements_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the elements of a file that `array` made, line by line.

    Raises:
        ValueError: the file is not one of those.
    """
    lines = iter(lines)
    first = next(lines, b"")
    if first == _EMPTY and next(lines, None) is None:
        return
    if first != _OPENED:
        raise ValueError("it does not start as a list of rows")
    for raw in lines:
        if raw.endswith(_BETWEEN):
            yield raw[: -len(_BETWEEN)]
            continue
        yield raw.removesuffix(b"\n")
        break
    if list(lines) != [b"]\n"]:
        raise ValueError("it does not end as a list of rows")


def free_name(name: str, taken: Container[str]) -> str:
    """Return `name`, with `api_` before it as often as it takes to be none of `taken`."""
    while name in taken:
        name = f"api_{name}"
    return name


def _extra(source: Mapping[str, str], answer: dict[str, Any]) -> dict[str, Any]:
    news = [
        key
        for key, value in answer.items()
        if source.get(key, _NOTHING) != value and (key != "enriched" or value is not True)
    ]
    extra = {key: answer[key] for key in (sorted(news) if len(news) > 1 else news)}
    if source.keys().isdisjoint(news) and RESERVED.isdisjoint(news):
        return extra
    ours = source.keys() | RESERVED
    renamed: dict[str, Any] = {key: value for key, value in extra.items() if key not in ours}
    for key, value in extra.items():
        if key in ours:
            renamed[free_name(key, ours | renamed.keys())] = value
    return renamed


def _dumped(extra: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(extra)
    except TypeError:  # nested deeper than can be written again; the rest of the answer is good
        return orjson.dumps({key: value if _can_be_written(value) else None for key, value in extra.items()})


def _can_be_written(value: Any) -> bool:
    try:
        orjson.dumps([value])
    except TypeError:
        return False
    return True
