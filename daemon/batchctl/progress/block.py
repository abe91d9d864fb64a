"""Lines at the end of a terminal that are drawn anew in their place, for as long as something goes on.

The cursor always stands at the beginning of the line below and is never hidden: whatever ends or stops the program, the
terminal is as it was. A window that has changed its size is cleared first, since each terminal breaks the lines that
are there already in its own way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from daemon.batchctl.console.printing import write

CLEARED = "\x1b[2J\x1b[H"
BACK_TO_FIRST = "\x1b[{}A"
EMPTY_LINE = "\r\x1b[2K"
NOTHING_BELOW = "\x1b[J"
LEAST_COLUMNS = 20


class Block:
    """Draws what `lines` gives for a window of so many columns, at most so many lines. Standard output only."""

    def __init__(self, out: TextIO, lines: Callable[[int, int], list[str]]) -> None:
        self._out, self._lines = out, lines
        self._size: os.terminal_size | None = None
        self._drawn = 0

    def draw(self) -> bool:
        """Draw the lines in the place of those drawn last; False where nobody reads any more."""
        size = os.get_terminal_size(self._out.fileno())
        begin = BACK_TO_FIRST.format(self._drawn) if self._drawn else ""
        if self._size is not None and size != self._size:
            begin = CLEARED
        # A terminal that does not know its size says 0.
        lines = self._lines(max(size.columns or 80, LEAST_COLUMNS), max((size.lines or 24) - 1, 1))
        self._size, self._drawn = size, len(lines)
        return write(begin + "".join(f"{EMPTY_LINE}{each}\n" for each in lines) + NOTHING_BELOW)

    def begin_anew(self) -> bool:
        """Draw the lines below whatever stands there now, as after a stop by Ctrl-Z."""
        self._drawn = 0
        return self.draw()

    def above(self, put: Callable[[], Any]) -> None:
        """Let `put` write where the lines stand, and draw them below."""
        if self._drawn:
            write(BACK_TO_FIRST.format(self._drawn) + EMPTY_LINE + NOTHING_BELOW)
        put()
        self.begin_anew()


class AboveBlock:
    """Standard error while a block is drawn on the same terminal: messages go above it."""

    def __init__(self, block: Block) -> None:
        self._block, self._stderr = block, sys.stderr

    def write(self, text: str) -> int:
        """Write whole lines above the block."""

        def put() -> None:
            self._stderr.write(text)
            self._stderr.flush()

        self._block.above(put)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stderr, name)
