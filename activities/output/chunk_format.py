r"""Rows as they stand in a chunk file, made without parsing or re-encoding what is already JSON.

A chunk is a JSON array with one element to a line, `[\n{...},\n{...}\n]\n`, so that it can be read and checked line by
line in bounded memory, and joined from finished rows by plain concatenation.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

import orjson

from workflows.models import NOT_FOUND, RESERVED

FALLBACK: Mapping[str, Any] = {"region": "UNKNOWN"}
"""What a fallback row gets where no configuration file says it."""

_OPENED = b"[\n"
_BETWEEN = b",\n"
_CLOSED = b"\n]\n"
_EMPTY = b"[]\n"
_NOTHING = object()


def element(body: bytes, source: Mapping[str, str], number: int, added: dict[str, Any]) -> bytes:
    """Return an enriched row of a chunk.

    The source columns stand first and verbatim, then `_row` and `enriched`, then what the API added in the order of
    its names. What the API merely echoes is left out; what it changed of a source column is kept beside it as
    `api_<column>`, and so is an `error`, `_row` or `enriched` of its own, but for an `enriched` that is true, as ours
    is.

    Args:
        body: the source columns as a compact JSON object.
        source: the same as a mapping.
        number: the record number.
        added: the API's answer, or what was taken of it.
    """
    head = body[:-1] + (b"," if source else b"")
    extra = _extra(source, added)
    if not extra:
        return b'%b"_row":%d,"enriched":true}' % (head, number)
    return b'%b"_row":%d,"enriched":true,%b' % (head, number, _dumped(extra)[1:])


def failed_element(
    body: bytes, source: Mapping[str, str], number: int, error: str, fallback: Mapping[str, Any] = FALLBACK
) -> bytes:
    """Return a row of a chunk that got no answer: a fallback row, or one that the API has nothing on.

    `_row` and `enriched` are as in an enriched row; then come the fields of `fallback`, under free names, and `error`.
    A row that was not found has no such fields.
    """
    head = body[:-1] + (b"," if source else b"")
    fields = {} if error == NOT_FOUND else fallback_fields(fallback, source)
    extra = _dumped({**fields, "error": error})
    return b'%b"_row":%d,"enriched":false,%b' % (head, number, extra[1:])


def fallback_fields(fallback: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """Return what a fallback row of a file with these columns holds beside them."""
    fields: dict[str, Any] = {}
    for name, value in fallback.items():
        fields[free_name(name, {*columns, *RESERVED, *fields})] = value
    return fields


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
