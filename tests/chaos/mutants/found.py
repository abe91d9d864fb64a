"""The table of breakages and of what found each: written by `make mutants`, read for `docs/reliability.md`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chaos.mutants.breakages import Mutant, Sweep

FOUND = Path(__file__).with_name("found.md")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
_HEAD = "| breakage, in a copy | found by | what was said |\n| --- | --- | --- |\n"
_MOST_CHARS = 110
_OWN_NAME = re.compile(r"\S*-broken\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A mutant, and the findings that it led to: none where nobody noticed."""

    mutant: Mutant
    said: tuple[str, ...]


def write_found(found: Iterable[Found]) -> None:
    """Write the table, and put it in the place of the one before in the page."""
    before = FOUND.read_text() if FOUND.exists() else ""
    FOUND.write_text(_HEAD + "".join(map(_row, found)))
    if before and before in PAGE.read_text():
        PAGE.write_text(PAGE.read_text().replace(before, FOUND.read_text()))


def _row(found: Found) -> str:
    said = found.said[0] if found.said else "**not found**"
    said = _OWN_NAME.sub("…", said.partition("\n")[0]).replace("|", "\\|").replace("_", " ")
    return f"| {found.mutant.breakage} | {_by(found.mutant)} | {said[:_MOST_CHARS]} |\n"


def _by(mutant: Mutant) -> str:
    if not isinstance(mutant.found_by, Sweep):
        return f"[`{Path(mutant.found_by).name}`](../{mutant.found_by})"
    if not mutant.found_by.lines:
        return "a batch without faults, judged as all others"
    lines = ", ".join(f"`{each}`" for each in mutant.found_by.lines)
    enough = ", ".join(f"`{each}`" for each in mutant.shortest)
    return f"{lines}{f'; made shorter, {enough} is enough' if enough else ''}"
