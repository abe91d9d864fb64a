"""A row of the batch that the API has answered before, as the output folder remembers it.

A worker that has just started has had no answer yet. Such a row, asked again under its own key, tells it an outage from
rows that are bad themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from activities.api.rows import CallRow
from activities.disk.directory import Directory
from activities.exact_json import loads
from activities.output.chunk_format import elements_of
from activities.output.names import chunk_name
from activities.output.row_log import RowLog

LOOKED_AT_ROWS = 50


def answered_row(
    folder: Directory,
    batch_id: str,
    part: RowLog,
    pages: Iterable[tuple[int, int]],
    *,
    call: Callable[[int, str, dict[str, str]], CallRow],
) -> CallRow | None:
    """Return a row that was enriched, from `part` or from the chunks of `pages`; None where the first few hold none.

    Args:
        folder: the output folder.
        batch_id: the batch, for the row's key.
        part: the part file of the page that is asked for.
        pages: number and generation of chunks that may be there, the likeliest first.
        call: makes a row of its number, its key and its source columns.
    """
    durable = (row.element for row in part if row.kind == "E")
    chunks = (each for number, generation in pages for each in _elements(folder, chunk_name(number, generation)))
    for found in (durable, chunks):
        for element in islice(found, LOOKED_AT_ROWS):
            row = loads(element)
            if row.get("enriched") is True:
                return _call(batch_id, row, call)
    return None


def _elements(folder: Directory, name: str) -> Iterator[bytes]:
    file = folder.reading(name)
    if file is None:
        return
    with file:
        yield from islice(elements_of(file), LOOKED_AT_ROWS)


def _call(batch_id: str, row: dict[str, Any], call: Callable[[int, str, dict[str, str]], CallRow]) -> CallRow:
    names = list(row)
    source = {name: row[name] for name in names[: names.index("_row")]}  # what the API added stands behind
    return call(int(str(row["_row"])), f"{batch_id}-{row['_row']}", source)
