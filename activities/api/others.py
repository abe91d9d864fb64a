"""What one worker process has to tell the others of its service that call the same API, and what they tell it."""

from __future__ import annotations

from typing import Protocol


class Circuit(Protocol):
    """What another process can say to the circuit breaker of this one."""

    def told_down(self, detail: str, wait_s: float) -> None:
        """Take the API to be down, and ask about it in `wait_s` seconds at the soonest."""

    def told_up(self) -> None:
        """Take the API to be up."""


class Held(Protocol):
    """What another process can say to the scheduler of this one."""

    def told_to_hold(self, seconds: float) -> None:
        """Begin no call for a while."""

    def told_to_release(self) -> None:
        """Begin calls again."""


class Others:
    """The other processes that call the same API. What is said here reaches the circuit and the scheduler of each.

    These are none, so nothing is to be done; `daemon.shares` has those of a service of several.
    """

    def join(self, circuit: Circuit, held: Held) -> None:
        """Hear from now on what others say, and what holds at the moment."""

    def down(self, detail: str, wait_s: float) -> None:
        """Say that the API is down, or still is, and is to be asked in `wait_s` seconds."""

    def up(self) -> None:
        """Say that the API answers."""

    def hold(self, seconds: float) -> None:
        """Say that the API asked for a rest."""

    def release(self) -> None:
        """Say that the rest is over."""

    async def may_probe(self) -> bool:
        """Take the right to make the one call that asks whether the API is back; `down` or `up` give it back."""
        return True

    def probe_given_up(self) -> None:
        """Give the right to probe back, unused."""
