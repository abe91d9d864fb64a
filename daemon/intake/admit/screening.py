"""One pass over the inbox: which files have settled, which still have to wait, which are left, and why."""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from activities.disk.fingerprint import Fingerprint
from activities.registry.timestamps import now_text
from daemon.config.settings import Settings
from daemon.intake.admit.candidate import Candidate, RuleContext
from daemon.intake.admit.refusals import Obstacle
from daemon.intake.admit.rules import KIND, NO_WRITER, PATTERN, READY_MARKER, Rule
from daemon.intake.observe.entries import Dropped, Entry, entries
from daemon.intake.observe.writing import Settling, writers_of
from workflows.ids import displayed, printable

HELD_PAUSE_S = 1.0
"""A file that a writer still holds, or whose marker is missing, is checked again this soon at the earliest."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Screened:
    """What one pass found. `next_due_s`: seconds until the first file that waits may have settled.

    `waiting_since_s` is when the first of those was first seen, by the clock of the pass.
    """

    settled: list[Dropped] = field(default_factory=list)
    settling: int = 0
    held: int = 0
    left: int = 0
    next_due_s: float | None = None
    waiting_since_s: float | None = None

    def wait(self, wait_s: float, first_seen_s: float) -> None:
        """Note that some file, first seen at `first_seen_s`, can be taken in `wait_s` seconds at the earliest."""
        self.next_due_s = wait_s if self.next_due_s is None else min(self.next_due_s, wait_s)
        since_s = self.waiting_since_s
        self.waiting_since_s = first_seen_s if since_s is None else min(since_s, first_seen_s)


@dataclass(slots=True)
class _Listed:
    names: set[bytes] = field(default_factory=set)
    markers: set[bytes] = field(default_factory=set)
    mismatches: set[bytes] = field(default_factory=set)


class Screening:
    """Screens the files of one inbox and remembers what it has logged about them. Blocking; one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._context = RuleContext(settings)
        self._settling = Settling(settings.settle_s)
        self._logged: dict[bytes, str] = {}
        self._left_unread: dict[bytes, Fingerprint] = {}

    def clear(self) -> None:
        """Forget everything: another inbox stands there now."""
        self._settling.clear()
        self._logged.clear()
        self._left_unread.clear()

    def screen(self, now_s: float, in_hand: Container[bytes]) -> Screened:
        """Check every entry once; a file `in_hand` is not even touched.

        Raises:
            OSError: the inbox is missing or cannot be read.
        """
        screened, listed, now_at = Screened(), _Listed(), now_text()
        quiet = []
        for entry in entries(self._context.inbox, lambda name: self._lists(name, listed) and name not in in_hand):
            candidate = Candidate(self._context, entry)
            candidate.name_kind = "mismatch" if entry.name in listed.mismatches else "wanted"
            if self._is_left(candidate):
                screened.left += 1
                continue
            wait_s = self._settling.remaining_s(entry, now_s, now_at)
            if wait_s > 0:
                screened.settling += 1
                screened.wait(wait_s, self._settling.first_seen(entry.name)[0])
            else:
                quiet.append(candidate)
        self._pick(quiet, listed.markers, screened, now_at)
        self._settling.keep_only(listed.names)
        self._forget_all_but(listed.names)
        return screened

    def leave(self, name: bytes, fingerprint: Fingerprint, obstacle: Obstacle) -> None:
        """Leave a file that may not be read where it is until it changes."""
        self._left_unread[name] = fingerprint
        self._log(name, "file.left", obstacle)

    def delay(self, name: bytes, why: str) -> None:
        """Note that a file could not be taken for now."""
        self._log(name, "file.delayed", Obstacle(why, "it is tried again by itself"), level=logging.WARNING)

    def _lists(self, name: bytes, listed: _Listed) -> bool:
        kind = self._context.names.kind(name)
        if kind == "marker":
            listed.markers.add(name)
        elif kind == "mismatch":
            listed.mismatches.add(name)
        if kind not in {"wanted", "mismatch"}:
            return False
        listed.names.add(name)
        return True

    def _is_left(self, candidate: Candidate) -> bool:
        """True if the file stays where it is until somebody changes it."""
        obstacle = KIND.check(candidate) or PATTERN.check(candidate)
        if obstacle:
            self._log(candidate.entry.name, "file.left", obstacle)
            return True
        return self._left_unread.get(candidate.entry.name) == candidate.entry.fingerprint

    def _pick(self, quiet: list[Candidate], markers: Container[bytes], screened: Screened, now_at: str) -> None:
        """Of the files that have been quiet long enough, pick those that are marked ready and that nobody writes to."""
        ready = []
        for candidate in quiet:
            if READY_MARKER.applies(candidate):
                candidate.has_marker = candidate.marker in markers
                if self._is_held(READY_MARKER, candidate, screened):
                    continue
            ready.append(candidate)
        writers = writers_of([each.entry.fingerprint for each in ready])
        for candidate in ready:
            fingerprint = candidate.entry.fingerprint
            writer = writers.get((fingerprint.device, fingerprint.inode))
            if writer:
                candidate.writer = writer
                if self._is_held(NO_WRITER, candidate, screened):
                    continue
            screened.settled.append(self._dropped(candidate.entry, now_at))

    def _is_held(self, rule: Rule, candidate: Candidate, screened: Screened) -> bool:
        obstacle = rule.check(candidate)
        if obstacle is None:
            return False
        screened.held += 1
        screened.wait(HELD_PAUSE_S, self._settling.first_seen(candidate.entry.name)[0])
        self._log(candidate.entry.name, "file.held", obstacle)
        return True

    def _dropped(self, entry: Entry, now_at: str) -> Dropped:
        first_seen_s, first_seen_at = self._settling.first_seen(entry.name)
        return Dropped(
            name=entry.name,
            folder=self._context.inbox,
            fingerprint=entry.fingerprint,
            first_seen_at=first_seen_at,
            stable_at=now_at,
            first_seen_s=first_seen_s,
        )

    def _log(self, name: bytes, event: str, obstacle: Obstacle, *, level: int = logging.INFO) -> None:
        """Log once why a file is not taken, and again only when there is something else to say of the same file."""
        why = obstacle.logged_why or obstacle.why
        if self._logged.get(name) != event + why:
            self._logged[name] = event + why
            todo = obstacle.logged_todo or obstacle.todo
            logger.log(level, event, extra={"fields": {"file": displayed(name), "why": printable(why), "todo": todo}})

    def _forget_all_but(self, names: set[bytes]) -> None:
        remembered: tuple[dict[bytes, Any], ...] = (self._logged, self._left_unread)
        for known in remembered:
            for gone in [each for each in list(known) if each not in names]:
                known.pop(gone, None)
