"""The rows of one page as they wait in memory, as they are sent, and as they stand in the chunk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from activities.api.mapping.exact_numbers import dumps
from activities.api.rows import CallRow
from activities.batch_schema import BatchSchema
from activities.source.source_file import Record
from workflows.errors import OutputRefused
from workflows.ids import printable

HeldRow = tuple[int, bytes]
"""A record number and the cells of its row, one after the other. As text they would take up to four times as much."""

_NUL = "\0"
"""Stands between cells: no cell of a valid row holds it, see `activities.source.parser.decoded`."""


def held(number: int, values: Iterable[str]) -> HeldRow:
    """Return a row as it waits."""
    return number, _NUL.join(values).encode()


class PageRows:
    """What the rows of a page have in common: their columns, and the schema where the batch has one."""

    def __init__(self, columns: Sequence[str] = (), schema: BatchSchema | None = None) -> None:
        self._columns = columns
        self._schema = schema

    def source(self, cells: bytes) -> dict[str, str]:
        """Return the source columns of a row, verbatim."""
        return dict(zip(self._columns, cells.decode().split(_NUL), strict=True))

    def again(self, number: int, source: Mapping[str, str]) -> HeldRow:
        """Return a row of a finished chunk as it waits to be called again.

        Raises:
            OutputRefused: the schema refuses it, which it did not when the chunk was made.
        """
        refusal = self._schema.refusal(Record(number, 0, list(source.values()))) if self._schema else None
        if refusal:
            raise OutputRefused(
                f"row {number} breaks the rule {refusal.rule} of schema.json in {printable(refusal.column)} by this "
                "version of batchd, and did not by the one that worked it; retry it with that one, or `batchctl rerun`"
            )
        return held(number, source.values())

    def call(self, number: int, key: str, source: Mapping[str, str], verbatim: bytes = b"") -> CallRow:
        """Return a row as it is called: typed by the schema, or verbatim, which need not be made twice."""
        if self._schema is None:
            return CallRow(number=number, key=key, body=verbatim or orjson.dumps(source))
        typed = self._schema.typed(source)
        return CallRow(number=number, key=key, body=dumps(typed), typed=typed)

    def news(self, source: Mapping[str, str], answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer without the typed values of the row that the API merely sent back."""
        if self._schema is None or answer.keys().isdisjoint(self._schema.names):
            return answer
        typed = self._schema.typed(source)
        return {key: each for key, each in answer.items() if key not in typed or not _same(each, typed[key])}


def _same(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are equal: 1.0 is 1, true is not. What cannot be written equals nothing."""
    try:
        first, second = _plain(one), _plain(other)
    except ValueError:
        return False
    return bool(first == second) and isinstance(first, bool) == isinstance(second, bool)


def _plain(value: Any) -> Any:
    return orjson.loads(dumps(value))
