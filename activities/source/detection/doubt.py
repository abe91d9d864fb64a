"""A file that may be written otherwise than it would be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from workflows.errors import InvalidCsv, shortened
from workflows.ids import printable

Check = Literal["format", "encoding", "delimiter", "quote", "header"]
"""What of a file is checked. The operator may leave out any: `BATCH_UNCHECKED`, or `unchecked` of a feed."""

_CELLS_SHOWN = 4


class DoubtfulDialect(InvalidCsv):
    """It would most likely be read otherwise than it was written. `logged` is the message without what cells say."""

    def __init__(self, check: Check, what: str, *, logged: str, todo: str) -> None:
        way_on = f'where it is right as it is, set BATCH_UNCHECKED={check}, or unchecked = ["{check}"] for its feed'
        super().__init__(f"{what}; {todo}, and drop it again, or {way_on}")
        self.check = check
        self.logged = logged


def cells_as_text(cells: Sequence[str]) -> str:
    """Return the first of some cells for a message, such as `a / b / …`."""
    first = " / ".join(shortened(printable(each.strip()), 24) or "(empty)" for each in cells[:_CELLS_SHOWN])
    return f"{first}{' / …' if len(cells) > _CELLS_SHOWN else ''}"
