"""One limit of calls in flight that several worker processes share by what each of them wants.

A grant that lowers takes time: calls that are in flight end when they end. So a process counts with the most that
it may still have in flight, until it confirms the lower grant; only what is then free is granted to another.
Messages of one process must come in the order in which they were sent, as a pipe brings them. Of a limit that cannot be
split evenly, above all one smaller than the number of processes, they take turns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from daemon.shares.fair_split import split_fairly


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one use of the limit may have in flight from now on; `number` counts the grants of that use."""

    use: int
    number: int
    calls: int


@dataclass(slots=True)
class _Share:
    """The share of one use: what it wants, and the grants that may still be in force there."""

    wanted: int = 0
    number: int = 0
    in_force: dict[int, int] = field(default_factory=lambda: {0: 0})

    @property
    def granted(self) -> int:
        return self.in_force[self.number]

    @property
    def most(self) -> int:
        return max(self.in_force.values())


class SharedLimit:
    """Grants each use of it a fair part; what may be in flight in all of them is in sum never raised above the limit.

    A use, by one process that runs, is known by a number that is never used again: what a process sent before it ended
    says nothing about the one that was started in its place. Each method returns the grants to send.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._turn = 0
        self._shares: dict[int, _Share] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody wants a share or may have one in force."""
        return not any(share.wanted or share.most for share in self._shares.values())

    @property
    def holds(self) -> bool:
        """Whether no process may still have more in flight than it was granted last."""
        return all(share.most == share.granted for share in self._shares.values())

    def begin(self, use: int) -> None:
        """Know a process that was started; it has a share of 0 until it asks for more."""
        self._shares[use] = _Share()

    def demand(self, use: int, wanted: int) -> list[Grant]:
        """Take note of how many calls a process wants in flight; one that has ended is not heard."""
        if use in self._shares:
            self._shares[use].wanted = wanted
        return self._grants()

    def confirm(self, use: int, number: int) -> list[Grant]:
        """Free what a process no longer has in flight: it is within the grant of this number."""
        share = self._shares.get(use)
        if share is not None and number <= share.number:
            share.in_force = {n: calls for n, calls in share.in_force.items() if n >= number}
        return self._grants()

    def end(self, use: int) -> list[Grant]:
        """Free the share of a process that has ended."""
        self._shares.pop(use, None)
        return self._grants()

    def change_limit(self, limit: int) -> list[Grant]:
        """Share another limit from now on; calls above a lower one end in their own time."""
        self._limit = limit
        return self._grants()

    def next_turn(self) -> list[Grant]:
        """Let another one have what cannot be split evenly, once all have what they got in the turn before."""
        parts = self._parts()
        if all(share.most == parts[use] for use, share in self._shares.items()):
            self._turn += 1
        return self._grants()

    def _parts(self) -> dict[int, int]:
        wanted = {use: share.wanted for use, share in self._shares.items()}
        return split_fairly(self._limit, wanted, turn=self._turn)

    def _grants(self) -> list[Grant]:
        """Return a grant for each process whose part has changed, raised by no more than is free."""
        parts = self._parts()
        free = max(0, self._limit - sum(share.most for share in self._shares.values()))
        grants = []
        for use, share in self._shares.items():
            before = share.most
            calls = min(parts[use], before + free)
            if calls == share.granted:
                continue
            share.number += 1
            share.in_force[share.number] = calls
            free -= share.most - before
            grants.append(Grant(use=use, number=share.number, calls=calls))
        return grants
