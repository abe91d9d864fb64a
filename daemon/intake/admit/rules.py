"""The rules of admission: what has to be true of a file before it becomes a batch, each one object.

The daemon asks them as soon as their facts are at hand, `batchctl explain` all of them in order, `batchctl list` those
for which the file need not be opened. Two the daemon knows in another way: for how long a file has been quiet (by its
own clock, `observe/settle.py`), and whether it is new (by the claim, `claim.py`). Where the log says something in other
words than `explain`, the obstacle holds both.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from daemon.intake.admit.candidate import Candidate
from daemon.intake.admit.duplicates import what_next
from daemon.intake.admit.identify import Identified, header_obstacle
from daemon.intake.admit.refusals import FileState, Obstacle, unreadable
from daemon.intake.observe.entries import Kind
from daemon.intake.observe.markers import broken_promise
from daemon.intake.observe.names import NameKind
from workflows.errors import SourceError
from workflows.ids import displayed, printable

MANY_FILES = 16_384
"""As many files may wait for a marker before the daemon makes the same obstacles anew at every scan."""

_TAKEN_LATER = "it is taken when that ends"
_BROKEN_NAMES: dict[NameKind, Obstacle] = {
    "own": Obstacle("a folder of batchd's own", "rename it", "ignored"),
    "marker": Obstacle("a ready marker, which only speaks for another file", "rename it", "ignored"),
    "ignored": Obstacle("a hidden name, or one that uploaders give to unfinished files", "rename it", "ignored"),
}
_WITHIN_REACH = "drop a copy of the file itself"
_NO_FILES: dict[Kind, Obstacle] = {
    "symbolic link": Obstacle("a symbolic link, which is never followed", _WITHIN_REACH, "left"),
    "folder": Obstacle("a folder; only files directly in the inbox are taken", "move its files into the inbox", "left"),
    "FIFO": Obstacle("a FIFO, which is never opened", _WITHIN_REACH, "left"),
    "socket": Obstacle("a socket, which is never opened", _WITHIN_REACH, "left"),
    "device": Obstacle("a device, which is never opened", _WITHIN_REACH, "left"),
}
_EMPTY = Obstacle("the file is empty", "drop it again with its content; a CSV file has a header", "refused")
_JUST_CHANGED = Obstacle("it has just changed", "wait", "settling")
_UNREAD = Obstacle("a large file; whether it is new is found when its turn comes", certain=False)


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


def _not_served(candidate: Candidate) -> Obstacle | None:
    watch = candidate.context.watch
    if watch.attendance == "watched":
        return None
    return Obstacle(watch.why, watch.todo, certain=watch.attendance != "unknown")


def _mismatch(candidate: Candidate) -> Obstacle | None:
    return _mismatch_of(candidate.context.settings.pattern) if candidate.name_kind == "mismatch" else None


@cache
def _mismatch_of(pattern: str) -> Obstacle:
    return Obstacle(
        f"it does not match {pattern}",
        "rename it, or change BATCH_PATTERN",
        "left",
        logged_why="its name does not match BATCH_PATTERN",
        logged_todo="rename it",
    )


def _unsettled(candidate: Candidate) -> Obstacle | None:
    quiet_s, wanted_s = candidate.quiet_s, candidate.wanted_quiet_s
    if quiet_s >= wanted_s:
        return None
    why = f"unchanged for {quiet_s:.1f} s of {wanted_s:g} s"
    return Obstacle(why, "wait", "settling", wait_s=round(wanted_s - quiet_s, 1))


def _no_marker(candidate: Candidate) -> Obstacle | None:
    return None if candidate.has_marker else _missing_marker(candidate.marker or b"")


@lru_cache(maxsize=MANY_FILES)
def _missing_marker(name: bytes) -> Obstacle:
    marker = printable(displayed(name))
    return Obstacle(
        "its ready marker is not there",
        f"make {marker} beside it",
        "held",
        logged_why=f"its ready marker {marker} is not there",
        logged_todo=_TAKEN_LATER,
    )


def _marker(candidate: Candidate) -> str:
    return printable(displayed(candidate.marker or b""))


def _written(candidate: Candidate) -> Obstacle | None:
    writer = candidate.writer
    if writer is None:
        return None
    why = f"process {writer.pid} ({printable(writer.command)}) has it open for writing"
    return Obstacle(why, "let that process close it", "held", logged_todo=_TAKEN_LATER)


def _too_large(candidate: Candidate) -> Obstacle | None:
    size_bytes, most_bytes = candidate.entry.fingerprint.size_bytes, candidate.context.settings.max_file_bytes
    if size_bytes <= most_bytes:
        return None
    why = f"{size_bytes} bytes, and BATCH_MAX_FILE_BYTES allows {most_bytes}"
    return Obstacle(why, "split the file, or raise BATCH_MAX_FILE_BYTES and drop it again", "refused")


def _size(candidate: Candidate) -> str:
    return f"{candidate.entry.fingerprint.size_bytes} bytes"


def _unreadable(candidate: Candidate) -> Obstacle | None:
    found = candidate.content
    if found is None:
        return _JUST_CHANGED
    return found if isinstance(found, Obstacle) and found.leads_to == "left" else None


def _may_not_be_read(candidate: Candidate) -> Obstacle | None:
    if os.access(candidate.dropped.path, os.R_OK, effective_ids=True):
        return None
    return unreadable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _no_csv(candidate: Candidate) -> Obstacle | None:
    if candidate.beginning_only:
        return header_obstacle(candidate.dropped, candidate.context.settings) or _UNREAD
    found = candidate.content
    return found if isinstance(found, Obstacle) and found.leads_to == "refused" else None


def _broken_promise(candidate: Candidate) -> Obstacle | None:
    """Rows are counted only where the marker names a number. A marker that is gone has promised nothing."""
    found = candidate.content
    if not isinstance(found, Identified):
        return None
    try:
        promise = candidate.promise
        broken = promise and broken_promise(
            promise,
            size_bytes=candidate.entry.fingerprint.size_bytes,
            sha256=found.sha256,
            path=candidate.dropped.path,
            csv=candidate.context.settings.shape().csv,
        )
    except (OSError, SourceError) as error:
        broken = str(error)
    return Obstacle(broken, "drop the whole file and its marker again", "refused") if broken else None


def _known(candidate: Candidate) -> Obstacle | None:
    found = candidate.identification
    if found is None or found.first is None:
        return None
    policy = candidate.context.settings.identity
    why = f"batch {found.first.id} ({found.first.state}) was made of the same file ({policy})"
    return Obstacle(why, what_next(found.first), "duplicate")


def _new(candidate: Candidate) -> str:
    found = candidate.identification
    identity = found.id if found else ""
    return f"no batch of this identity ({candidate.context.settings.identity}); it becomes {identity}"


def _is_marked(candidate: Candidate) -> bool:
    return candidate.marker is not None


SERVICE = Rule(name="service", check=_not_served, passes=lambda c: c.context.watch.why)
NAME = Rule(name="name", check=lambda c: _BROKEN_NAMES.get(c.name_kind), passes=lambda _: "an ordinary name")
PATTERN = Rule(name="pattern", check=_mismatch, passes=lambda c: f"it matches {c.context.settings.pattern}")
KIND = Rule(name="kind", check=lambda c: _NO_FILES.get(c.entry.kind), passes=lambda _: "a regular file", decisive=True)
SETTLED = Rule(name="settled", check=_unsettled, passes=lambda c: f"unchanged for at least {c.wanted_quiet_s:g} s")
READY_MARKER = Rule(
    name="ready marker", check=_no_marker, passes=lambda c: f"{_marker(c)} is there", applies=_is_marked
)
NO_WRITER = Rule(name="no writer", check=_written, passes=lambda _: "nobody is seen writing to it")
NOT_EMPTY = Rule(name="not empty", check=lambda c: None if c.entry.fingerprint.size_bytes else _EMPTY, passes=_size)
SIZE = Rule(name="size", check=_too_large, passes=_size)
READABLE = Rule(
    name="readable",
    check=_unreadable,
    passes=lambda _: "it can be read",
    applies=lambda c: not c.beginning_only,
    decisive=True,
)
CONTENT = Rule(name="content", check=_no_csv, passes=lambda _: "it looks like CSV text", decisive=True)
PROMISE = Rule(
    name="promise",
    check=_broken_promise,
    passes=lambda _: "it is what its marker says",
    applies=_is_marked,
    recorded_as="marker",
)
NEW = Rule(name="new", check=_known, passes=_new)

INSIDE = (READABLE, CONTENT, PROMISE, NEW)
"""These read the file, so they are asked only where nothing else keeps it from ever being taken."""

RULES = (SERVICE, NAME, PATTERN, KIND, SETTLED, READY_MARKER, NO_WRITER, NOT_EMPTY, SIZE, *INSIDE)

MAY_BE_READ = Rule(name="readable", check=_may_not_be_read, passes=lambda _: "it may be read")
OUTSIDE = (NAME, PATTERN, KIND, SETTLED, READY_MARKER, NO_WRITER, NOT_EMPTY, SIZE, MAY_BE_READ, SERVICE)
"""These do not open the file. The service comes last: it is the same for all of them."""

SETTLED_FILE = (NOT_EMPTY, SIZE, READABLE, CONTENT, PROMISE)
"""What the daemon asks of a file that has settled, before it claims it."""
