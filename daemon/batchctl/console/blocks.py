"""Headings, sentences and exact texts one below the other: fitted to a window on a terminal, whole in a pipe.

What is exact is never shortened. In a window it goes on in the next line; what is there to be pasted is left to the
terminal, which puts no line break into what is copied.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

from daemon.batchctl.console.printing import write
from workflows.ids import printable

RULE = "─"
CUT = "…"
LABEL_CELLS = 9
NARROW = 40
"""Below this a label stands above its text."""
INDENT = "  "
BREAKS = ",&? "
"""Behind these an exact text goes on in the next line, where one comes late enough."""


class Blocks:
    """Writes to standard output. What cannot be printed is escaped; colours are for a terminal alone."""

    def __init__(self) -> None:
        self._window = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0

    def heading(self, text: str) -> None:
        """Write a heading, with a rule as long as the window."""
        line = f"{RULE * 2} {printable(text)} "
        self._put(f"\n{line}{RULE * max(self._window - cell_len(line), 2)}", "bold")

    def label(self, text: str, rest: str = "", style: str = "") -> None:
        """Write what the lines below are, and a sentence beside it."""
        self._put("")
        if rest:
            self.fact(text, rest, style=style)
        else:
            self._put(text, "bold")

    def fact(self, label: str, text: str, *, style: str = "") -> None:
        """Write a sentence behind its label."""
        text, lead = printable(text), f"{label:<{LABEL_CELLS}}"
        if not self._window:
            self._put(f"{lead}{text}")
            return
        if self._window < NARROW:
            self._put(label, "bold")
            lead = INDENT
        for number, line in enumerate(_wrapped(text, self._window - len(lead))):
            self._put(f"{lead if not number else ' ' * len(lead)}{line}", style)

    def exact(self, text: str, style: str = "") -> None:
        """Write lines that are never shortened."""
        for line in text.split("\n"):
            for part in _broken(_escaped(line), self._window):
                self._put(part, style)

    def pasted(self, parts: tuple[str, ...]) -> None:
        """Write one command of a shell: in a window one part to a line, in a pipe on one line."""
        self._put((" \\\n" + INDENT if self._window else " ").join(map(_escaped, parts)), "cyan")

    def shortened(self, text: str, most_lines: int) -> None:
        """Write the beginning of a text, and how much of it is left out."""
        lines = text.split("\n")
        most_lines += len(lines) == most_lines + 1  # a line that says so would be no shorter
        most_cells = self._window or 200
        for line in map(printable, lines[:most_lines]):
            fits = cell_len(line) <= most_cells
            self._put(line if fits else set_cell_size(line, most_cells - 1).rstrip() + CUT, "dim")
        if len(lines) > most_lines:
            self._put(f"{CUT} {len(lines) - most_lines:,} more lines")

    def _put(self, text: str, style: str = "") -> None:
        if not self._window or not style:
            write(f"{text}\n")
            return
        from rich.text import Text  # noqa: PLC0415 - loaded for a terminal alone

        from daemon.batchctl.console.styled import styled_console  # noqa: PLC0415

        styled_console().print(Text(text, style=style))


def _escaped(text: str) -> str:
    """Return `text` with what cannot be printed as JSON writes it: a JSON document stays the same document."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]


def _broken(line: str, window: int) -> Iterator[str]:
    """Yield a line in pieces that fit; what goes on is indented."""
    lead, left = "", line
    while window and cell_len(lead + left) > window:
        room = max(window - len(lead), 1)
        piece = chop_cells(left, room)[0]
        at = max(piece.rfind(each) for each in BREAKS) + 1
        piece = piece[:at] if at > len(piece) // 2 else piece
        yield lead + piece
        lead, left = INDENT, left[len(piece) :]
    yield lead + left
