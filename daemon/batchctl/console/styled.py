"""Colours and bold for a terminal, where the person in front of it wants them. Loaded for a terminal alone."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

NOT_STEERED = frozenset({"", "dumb", "unknown"})
"""What TERM says of a terminal that knows no escape sequences."""


def styled_console(out: TextIO | None = None) -> Console:
    """Return what turns styles into escape sequences for `out`; with NO_COLOR, or on a dumb terminal, into none."""
    plain = bool(os.environ.get("NO_COLOR")) or not can_be_steered()
    kept = {"color_system": None} if plain else {}
    return Console(file=out or sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=True, **kept)  # type: ignore[arg-type]


def can_be_steered() -> bool:
    """Return whether the terminal knows escape sequences, by which lines are drawn anew."""
    return os.environ.get("TERM", "").lower() not in NOT_STEERED
