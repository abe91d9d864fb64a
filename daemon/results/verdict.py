"""What a verification found: named checks, each with what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_LISTED = 20
_MAX_PROBLEM_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule and whether it holds. A `warning` does not break the proof."""

    name: str
    ok: bool
    detail: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the proof holds, and every check in order. Counts are the manifest's."""

    ok: bool
    directory: str
    id: str = ""
    status: str = ""
    generation: int = 0
    records: int = 0
    enriched: int = 0
    not_found: int = 0
    fallback: int = 0
    rejected: int = 0
    files: int = 0
    bytes: int = 0
    checks: list[Check] = field(default_factory=list)

    def failed(self) -> list[Check]:
        """Return the checks that do not hold."""
        return [each for each in self.checks if not each.ok]


class Findings:
    """Problems by check, in the order of the checks. Bounded: the first twenty of a check are listed, all counted."""

    def __init__(self) -> None:
        self._listed: dict[str, list[str]] = {}
        self._counted: dict[str, int] = {}
        self._broken: set[str] = set()

    def checked(self, *names: str) -> None:
        """Note that checks are made; without problems they hold."""
        for name in names:
            self._listed.setdefault(name, [])
            self._counted.setdefault(name, 0)

    def problem(self, check: str, text: str, *, warning: bool = False) -> None:
        """Note a problem. A check with nothing but warnings holds."""
        self.checked(check)
        self._counted[check] += 1
        if not warning:
            self._broken.add(check)
        if len(self._listed[check]) < MAX_LISTED:
            self._listed[check].append(text[:_MAX_PROBLEM_CHARS])

    def checks(self) -> list[Check]:
        """Return every check that was made."""
        return [self._check(name) for name in self._listed]

    def _check(self, name: str) -> Check:
        more = self._counted[name] - len(self._listed[name])
        detail = "; ".join([*self._listed[name], *([f"and {more} more"] if more else [])])
        ok = name not in self._broken
        return Check(name=name, ok=ok, detail=detail, warning=ok and bool(detail))
