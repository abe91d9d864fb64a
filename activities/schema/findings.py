"""What is wrong with a schema: every finding with its place, and the error that carries them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from workflows.errors import SettingsError


class Finding(NamedTuple):
    """One thing that cannot be used. `place` is such as `fields[2].constraints.minimum`, empty for the whole."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" if self.place else self.problem


class InvalidSchema(SettingsError):
    """A Table Schema cannot be used. `findings` are all reasons; the message has them, cut where there are many."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = tuple(findings)


class Unusable(ValueError):
    """One property cannot be used; becomes a finding. `key` is its place below the one that is read."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


class Findings:
    """Collects what is wrong, so that all of it is said at once."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(self, place: str, problem: str) -> None:
        """Note one finding; the same again is one."""
        finding = Finding(place, problem)
        if finding not in self._found:
            self._found.append(finding)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Note what is unusable inside, and go on behind."""
        try:
            yield
        except Unusable as error:
            self.add(f"{place}.{error.key}" if error.key else place, str(error))

    def check(self) -> None:
        """Raise InvalidSchema where there is any finding."""
        if self._found:
            raise InvalidSchema(self._found)
