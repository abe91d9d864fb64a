"""Tables: whole into a file or a pipe, fitted to the window on a terminal.

In a window numbers and states are never cut. Names are cut in the middle, sentences go on in the next line, and where
that is not enough, the columns that matter least are left out, and a message names them.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from daemon.batchctl.console.cells import cells_of, first_cells, last_cells
from daemon.batchctl.console.printing import say, write
from workflows.ids import printable

GAP = "  "
CUT = "…"
NAME_CELLS = 12
SENTENCE_CELLS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `name` and `sentence` may become narrower, down to `least` cells.

    `tail` is how many of the last cells of a name stay whatever is cut. `left_out` is the order in which columns are
    left out of a window that is too narrow, from 1; 0: never.
    """

    heading: str
    kind: Literal["whole", "number", "name", "sentence"] = "whole"
    least: int = NAME_CELLS
    tail: int = 0
    left_out: int = 0


def put_table(columns: list[Column], rows: list[list[str]]) -> None:
    """Write a table; control characters are escaped."""
    cells = [[each.heading for each in columns], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(cells_of, column)) for column in zip(*cells, strict=True)]
    if not sys.stdout.isatty():
        write("".join(f"{_line(columns, row, widths)}\n" for row in cells))
        return
    window = shutil.get_terminal_size().columns
    fitting = fitted(columns, widths, window)
    _put_in_window([columns[each] for each in fitting], [[row[each] for each in fitting] for row in cells], fitting)
    missing = [each.heading for index, each in enumerate(columns) if index not in fitting]
    if missing:
        say(f"{window} columns have no room for {', '.join(missing)}; widen the window, or add --json or '| cat'")


def fitted(columns: list[Column], widths: list[int], window: int) -> dict[int, int]:
    """Return the indexes of the columns that a window of so many cells has room for, each with its width."""
    kept = list(range(len(columns)))
    least = [min(width, _least(column)) for column, width in zip(columns, widths, strict=True)]
    for index in sorted((each for each in kept if columns[each].left_out), key=lambda each: columns[each].left_out):
        if _total(least, kept) <= window:
            break
        kept.remove(index)
    given = {index: least[index] for index in kept}
    room = window - _total(least, kept)
    for kind in ("name", "sentence"):
        for _ in range(room):
            hungry = [each for each in kept if columns[each].kind == kind and given[each] < widths[each]]
            if not hungry:
                break
            given[min(hungry, key=lambda each: given[each])] += 1
            room -= 1
    return given


def cut_middle(text: str, width: int, *, tail: int = 0) -> str:
    """Return `text` in at most `width` cells, without its middle where it is longer; `tail` last cells are kept."""
    if cells_of(text) <= width:
        return text
    end = min(max((width - 1) // 2, tail), max(width - 2, 0))
    return first_cells(text, width - 1 - end) + CUT + last_cells(text, end)


def _least(column: Column) -> int:
    if column.kind == "name":
        return column.least
    return SENTENCE_CELLS if column.kind == "sentence" else sys.maxsize


def _total(widths: list[int], kept: list[int]) -> int:
    return sum(widths[each] for each in kept) + len(GAP) * (len(kept) - 1)


def _put_in_window(columns: list[Column], cells: list[list[str]], widths: dict[int, int]) -> None:
    from rich.text import Text  # noqa: PLC0415 - loaded for a terminal alone

    from daemon.batchctl.console.styled import styled_console  # noqa: PLC0415

    console = styled_console()
    sizes = list(widths.values())
    for number, row in enumerate(cells):
        broken = [_broken(*each) for each in zip(columns, row, sizes, strict=True)]
        for line in zip_longest(*broken, fillvalue=""):
            console.print(Text(_line(columns, list(line), sizes), style="" if number else "bold"))


def _broken(column: Column, cell: str, width: int) -> list[str]:
    """Return a cell as the lines it takes."""
    if column.kind == "sentence":
        return textwrap.wrap(cell, max(width, 1), break_on_hyphens=False) or [""]
    return [cut_middle(cell, width, tail=column.tail) if column.kind == "name" else cell]


def _line(columns: list[Column], cells: list[str], widths: list[int]) -> str:
    padded = (
        blank + cell if column.kind == "number" else cell + blank
        for column, cell, width in zip(columns, cells, widths, strict=True)
        for blank in [" " * (width - cells_of(cell))]
    )
    return GAP.join(padded).rstrip()
