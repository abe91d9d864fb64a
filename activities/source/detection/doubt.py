"""A file that may be written otherwise than it would be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from workflows.errors import InvalidCsv, shortened
from workflows.ids import printable

Check = Literal["format", "encoding", "delimiter", "quote", "header"]
"""What of a file is checked. The operator may leave out any: `BATCH_UNCHECKED`, or `unchecked` of a feed."""

FeedValue: TypeAlias = str | int | bool | Sequence[str]
"""A value of a key of a feed, as JSON and TOML both write it."""

_CELLS_SHOWN = 4


class DoubtfulDialect(InvalidCsv):
    """It would most likely be read otherwise than it was written. `logged` is the message without what cells say.

    `keys` are those of its feed by which it would most likely be read as it was written.
    """

    def __init__(
        self, check: Check, what: str, *, logged: str, todo: str, keys: Mapping[str, FeedValue] | None = None
    ) -> None:
        by_keys = f"set {', '.join(key_lines(keys))} for its feed, or, " if keys else ""
        way_on = f'where it is right as it is, set BATCH_UNCHECKED={check}, or unchecked = ["{check}"] for its feed'
        super().__init__(f"{what}; {todo}, and drop it again, or {by_keys}{way_on}")
        self.check = check
        self.logged = logged
        self.keys = dict(keys or {})


def key_lines(keys: Mapping[str, FeedValue]) -> list[str]:
    """Return keys and their values as lines of TOML."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]


def cells_as_text(cells: Sequence[str]) -> str:
    """Return the first of some cells for a message, such as `a / b / …`."""
    first = " / ".join(shortened(printable(each.strip()), 24) or "(empty)" for each in cells[:_CELLS_SHOWN])
    return f"{first}{' / …' if len(cells) > _CELLS_SHOWN else ''}"
