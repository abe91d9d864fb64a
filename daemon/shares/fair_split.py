"""Split a limit fairly among those who want a part of it."""

from __future__ import annotations

from collections.abc import Mapping


def split_fairly(limit: int, wanted: Mapping[int, int]) -> dict[int, int]:
    """Return the part of each: no more than it wants, and what one leaves goes to those who want more.

    In sum the parts are the limit, or what all want where that is less. A part may be 0 where the limit is less
    than the number of those who want some of it.
    """
    left = max(0, limit)
    parts: dict[int, int] = {}
    hungriest_last = sorted(wanted, key=lambda who: (wanted[who], -who))
    for place, who in enumerate(hungriest_last):
        parts[who] = min(wanted[who], left // (len(wanted) - place))
        left -= parts[who]
    return parts
