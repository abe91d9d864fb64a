"""Column names from the header record: verbatim where they can be, distinguishable always.

The first record of a file is its header; a file without one cannot be told from one with a strange one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workflows.errors import InvalidCsv
from workflows.ids import printable
from workflows.models import RESERVED


def columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return one distinct name for each of `names`, in order.

    An empty name becomes `column_3` (its position); a repeated or reserved one `name__2`, `name__3`, ... A name that
    is unique in the header never gives way to a made one.
    """
    first_given = {name: at for at, name in reversed(list(enumerate(names))) if name and name not in RESERVED}
    taken = {*RESERVED, *first_given}
    next_number: dict[str, int] = {}
    made: list[str] = []
    for at, name in enumerate(names):
        if first_given.get(name) == at:
            made.append(name)
            continue
        base = name or f"column_{at + 1}"
        chosen = base if base not in taken else _numbered(base, taken, next_number)
        taken.add(chosen)
        made.append(chosen)
    return tuple(made)


def check_number(names: Sequence[str], max_columns: int) -> None:
    """Raise InvalidCsv where the header has more `names` than allowed."""
    if len(names) > max_columns:
        raise InvalidCsv(
            f"the header has {len(names):,} columns, and BATCH_MAX_COLUMNS allows {max_columns:,}; "
            "leave out the columns that are not needed, or raise BATCH_MAX_COLUMNS"
        )


def check_required(names: Iterable[str], required: Iterable[str]) -> None:
    """Raise InvalidCsv where a required column is missing from the header's `names`, naming all that are."""
    present = set(names)
    missing = [name for name in required if name not in present]
    if missing:
        shown = ", ".join(printable(name) for name in missing)
        raise InvalidCsv(
            f"the header lacks the required column(s) {shown}; add them, or change BATCH_REQUIRED_COLUMNS "
            "(required_columns of its feed)"
        )


def _numbered(base: str, taken: set[str], next_number: dict[str, int]) -> str:
    number = next_number.get(base, 2)
    while f"{base}__{number}" in taken:
        number += 1
    next_number[base] = number + 1
    return f"{base}__{number}"
