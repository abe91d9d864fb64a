"""What is planned and what came of it: a fault, the segment of faults that one site goes through, a strike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `line` says all of it in words that its kind reads, such as `worker link.before:2:kill`."""

    number: int
    kind: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Faults of one kind that one site goes through, one after the other. `variant` names its settings and files.

    `attempt` is 0 the first time; where a segment is repeated beside the same server, its files get other names.
    """

    name: str
    kind: str
    variant: str
    seed: int
    faults: tuple[Fault, ...]
    attempt: int = 0

    @property
    def tag(self) -> str:
        """What its folder, its queue and its files are called."""
        return f"{self.name}-again-{self.attempt}" if self.attempt else self.name


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that took place: at `at`, in seconds since 1970. `may_repeat` is how many calls it may cost."""

    fault: Fault
    at: float
    may_repeat: int
