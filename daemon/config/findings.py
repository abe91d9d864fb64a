"""What is wrong with a configuration: every mistake, each with its place and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workflows.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake. `line` is 0 where it is in no line: a variable of the environment, or the whole file.

    `what` and `todo` never hold the value of a key that may be a secret. `nearest` is the name that was probably meant.
    """

    file: str
    line: int
    key: str
    what: str
    nearest: str = ""
    todo: str = ""

    def place(self) -> str:
        """Return `file:line`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def sentence(self) -> str:
        """Return what is wrong with which key, and what to do."""
        key = f"{self.key}: " if self.key else ""
        hints = [f"did you mean {self.nearest}?" if self.nearest else "", self.todo]
        return key + "; ".join(each for each in (self.what, *hints) if each)

    def __str__(self) -> str:
        return ": ".join(each for each in (self.place(), self.sentence()) if each)


class WrongConfiguration(SettingsError):
    """The configuration cannot be used. `findings` has every mistake; the message has the first and counts the rest."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=lambda each: (each.file, each.line)))
        more = len(self.findings) - 1
        rest = f" (and {more} more; 'batchctl config check' shows all)" if more else ""
        super().__init__(f"{self.findings[0]}{rest}")
