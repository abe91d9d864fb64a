"""Split a limit fairly among those who want a part of it."""

from __future__ import annotations

from collections.abc import Mapping


def split_fairly(limit: int, wanted: Mapping[int, int], *, turn: int = 0) -> dict[int, int]:
    """Return the part of each: no more than it wants, and what one leaves goes to those who want more.

    In sum the parts are the limit, or what all want where that is less. What cannot be split evenly goes in ones to
    some of those who want more, beginning with another one each `turn`; so of a limit less than their number each gets
    something in some turns.
    """
    parts = dict.fromkeys(wanted, 0)
    hungry = [who for who, calls in wanted.items() if calls > 0]
    left = max(0, limit)
    while hungry and left >= len(hungry):
        each = min(left // len(hungry), *(wanted[who] - parts[who] for who in hungry))
        for who in hungry:
            parts[who] += each
        left -= each * len(hungry)
        hungry = [who for who in hungry if parts[who] < wanted[who]]
    for place in range(min(left, len(hungry))):
        parts[hungry[(turn + place) % len(hungry)]] += 1
    return parts
