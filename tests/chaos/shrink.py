"""Finds the shortest list of faults that still breaks what a segment broke: delta debugging over its lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chaos.fault import Fault

MOST_TRIES = 12
"""A segment is repeated at most so often: each time takes as long as it has faults."""

WHOLE_TRIES = 3
"""With all of its faults it is repeated so often until it fails: much depends on moments that no seed decides."""

Fails = Callable[[tuple[Fault, ...]], bool]
"""Goes through some faults of a segment anew; True where the same rule is broken again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortest:
    """What is left of a segment's faults. `tries` were made; `again` is False where it did not fail a second time.

    `certain` is False where the tries ran out first: then there may be a shorter one.
    """

    faults: tuple[Fault, ...]
    tries: int
    again: bool = True
    certain: bool = True


def shortest(faults: tuple[Fault, ...], fails: Fails, most_tries: int = MOST_TRIES) -> Shortest:
    """Take faults away for as long as what is left fails: none at all first, then halves, quarters, one by one."""
    tries = 0

    def fails_again(some: tuple[Fault, ...]) -> bool:
        nonlocal tries
        tries += 1
        return fails(some)

    if fails_again(()):
        return Shortest(faults=(), tries=tries)
    if not any(fails_again(faults) for _ in range(WHOLE_TRIES)):
        return Shortest(faults=faults, tries=tries, again=False)
    parts = 2
    while len(faults) > 1:
        for candidate in _candidates(faults, parts):
            if tries == most_tries:
                return Shortest(faults=faults, tries=tries, certain=False)
            if fails_again(candidate):
                parts = 2 if len(candidate) * parts <= len(faults) else max(2, parts - 1)
                faults = candidate
                break
        else:
            if parts >= len(faults):
                break
            parts = min(len(faults), 2 * parts)
    return Shortest(faults=faults, tries=tries)


def _candidates(faults: Sequence[Fault], parts: int) -> list[tuple[Fault, ...]]:
    """Return each of so many parts alone, and where there are more than two, all but each."""
    size = -(-len(faults) // parts)
    cuts = [tuple(faults[at : at + size]) for at in range(0, len(faults), size)]
    rests = [tuple(each for each in faults if each not in cut) for cut in cuts] if len(cuts) > 2 else []
    return [*cuts, *rests]
