"""How many cells of a terminal a text takes at most.

Terminals disagree about what is put together of several characters: a hand and the tone of its skin are two cells in
one and four in the other, a heart with the sign that asks for its colours one or two. What takes more than it was given
breaks the line, so each character counts for the most that it takes anywhere.
"""

from __future__ import annotations

from rich.cells import get_character_cell_size

IN_COLOURS = "\ufe0f"
"""Makes the character before it as wide as an emoji, in terminals that heed it."""

LEANS_ON = frozenset(map(chr, [0xFE0F, *range(0x1F3FB, 0x1F400)]))
TWO_CELLS = frozenset(map(chr, [*range(0x1F1E6, 0x1F200), *range(0x1F3FB, 0x1F400)]))
"""Letters of flags and tones of skin: where they are not put together with what stands before, they are wide."""


def cells_of(text: str) -> int:
    """Return the cells that `text` takes at most."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def first_cells(text: str, width: int) -> str:
    """Return the longest beginning of `text` in at most so many cells, without blanks at its end."""
    end, room = 0, width
    while end < len(text) and _cells(text[end]) <= room:
        room -= _cells(text[end])
        end += 1
    return text[:end].rstrip() if width > 0 else ""


def last_cells(text: str, width: int) -> str:
    """Return the longest end of `text` in at most so many cells; it begins with a character that stands by itself."""
    begin, room = len(text), width
    while begin and _cells(text[begin - 1]) <= room:
        begin -= 1
        room -= _cells(text[begin])
    while begin < len(text) and (text[begin] in LEANS_ON or not _cells(text[begin])):
        begin += 1
    return text[begin:].lstrip()


def _cells(character: str) -> int:
    if character in TWO_CELLS:
        return 2
    return 1 if character == IN_COLOURS else get_character_cell_size(character)
