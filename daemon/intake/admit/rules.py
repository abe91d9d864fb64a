"""The rules of admission: what has to be true of a file before it becomes a batch, each one object.

The daemon asks them as soon as their facts are at hand, `batchctl explain` all of them in order, `batchctl list` those
for which the file need not be opened. Two the daemon knows in another way: for how long a file has been quiet (by its
own clock, `observe/writing.py`), and whether it is new (by the claim, `claim.py`). Where the log uses other words than
`explain`, the obstacle holds both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from daemon.intake.admit import checks
from daemon.intake.admit.candidate import Candidate
from daemon.intake.admit.refusals import FileState, Obstacle
from workflows.ids import displayed, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what a candidate has to pass.

    `check` returns what stands in its way, `passes` says in words that nothing does. `recorded_as` is its name in
    `REASON.json` and the log. Where a `decisive` rule is broken, the later ones cannot be asked.
    """

    name: str
    check: Callable[[Candidate], Obstacle | None]
    passes: Callable[[Candidate], str]
    applies: Callable[[Candidate], bool] = lambda _: True
    decisive: bool = False
    recorded_as: str = ""

    def result(self, candidate: Candidate) -> RuleResult:
        """Return how the candidate stands to this rule."""
        obstacle = self.check(candidate)
        if obstacle is None:
            return RuleResult(rule=self.name, passed=True, why=self.passes(candidate))
        return RuleResult(
            rule=self.name,
            passed=False if obstacle.certain else None,
            why=obstacle.why,
            todo=obstacle.todo,
            wait_s=obstacle.wait_s,
            leads_to=obstacle.leads_to,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """How a file stands to one rule. `passed` is None where it was not looked at, or cannot be seen from here.

    `todo` is what would make it pass, `wait_s` for how many seconds it will still fail if nothing changes.
    """

    rule: str
    passed: bool | None
    why: str
    todo: str = ""
    wait_s: float | None = None
    leads_to: FileState = "waiting"


def first_broken(rules: Iterable[Rule], candidate: Candidate) -> tuple[Rule, Obstacle] | None:
    """Return the first rule that a candidate certainly breaks, and what stands in its way; later ones are not asked."""
    for rule in rules:
        obstacle = rule.check(candidate) if rule.applies(candidate) else None
        if obstacle and obstacle.certain:
            return rule, obstacle
    return None


def results(candidate: Candidate) -> Iterator[RuleResult]:
    """Yield how a candidate stands to each rule, in order, as far as they can be asked.

    Raises:
        TransientError: a receipt cannot be read.
    """
    stays = False
    for rule in RULES:
        if rule is READABLE and stays:
            return  # it need not be opened
        if rule.applies(candidate):
            result = rule.result(candidate)
            yield result
            if not result.passed and rule.decisive:
                return
            stays |= result.leads_to in {"ignored", "left", "refused"}


def _marker(candidate: Candidate) -> str:
    return printable(displayed(candidate.marker or b""))


def _size(candidate: Candidate) -> str:
    return f"{candidate.entry.fingerprint.size_bytes} bytes"


def _new(candidate: Candidate) -> str:
    found = candidate.identification
    identity = found.id if found else ""
    return f"no batch of this identity ({candidate.context.settings.identity}); it becomes {identity}"


def _is_marked(candidate: Candidate) -> bool:
    return candidate.marker is not None


SERVICE = Rule(name="service", check=checks.not_served, passes=lambda c: c.context.watch.why)
NAME = Rule(name="name", check=checks.wrong_name, passes=lambda _: "an ordinary name")
PATTERN = Rule(name="pattern", check=checks.mismatch, passes=lambda c: f"it matches {c.context.settings.pattern}")
KIND = Rule(name="kind", check=checks.no_file, passes=lambda _: "a regular file", decisive=True)
SETTLED = Rule(
    name="settled", check=checks.unsettled, passes=lambda c: f"unchanged for at least {c.wanted_quiet_s:g} s"
)
READY_MARKER = Rule(
    name="ready marker", check=checks.no_marker, passes=lambda c: f"{_marker(c)} is there", applies=_is_marked
)
NO_WRITER = Rule(name="no writer", check=checks.written, passes=lambda _: "nobody is seen writing to it")
NOT_EMPTY = Rule(name="not empty", check=checks.empty, passes=_size)
SIZE = Rule(name="size", check=checks.too_large, passes=_size)
READABLE = Rule(
    name="readable",
    check=checks.unreadable_content,
    passes=lambda _: "it can be read",
    applies=lambda c: not c.beginning_only,
    decisive=True,
)
CONTENT = Rule(name="content", check=checks.no_csv, passes=lambda _: "it looks like CSV text", decisive=True)
PROMISE = Rule(
    name="promise",
    check=checks.promise_broken,
    passes=lambda _: "it is what its marker says",
    applies=_is_marked,
    recorded_as="marker",
)
NEW = Rule(name="new", check=checks.known, passes=_new)

INSIDE = (READABLE, CONTENT, PROMISE, NEW)
"""These read the file, so they are asked only where nothing else keeps it from ever being taken."""

RULES = (SERVICE, NAME, PATTERN, KIND, SETTLED, READY_MARKER, NO_WRITER, NOT_EMPTY, SIZE, *INSIDE)

MAY_BE_READ = Rule(name="readable", check=checks.may_not_be_read, passes=lambda _: "it may be read")
OUTSIDE = (NAME, PATTERN, KIND, SETTLED, READY_MARKER, NO_WRITER, NOT_EMPTY, SIZE, MAY_BE_READ, SERVICE)
"""These do not open the file. The service comes last: it is the same for all of them."""

SETTLED_FILE = (NOT_EMPTY, SIZE, READABLE, CONTENT, PROMISE)
"""What the daemon asks of a file that has settled, before it claims it."""
