"""Every rule of intake in its order, asked from outside the daemon for one file.

The same code decides as in the daemon, but for the quiet time: that one is known to the daemon alone, so here it is
taken from the file system's own time of change, which no program can set.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from activities.registry.receipts import Receipts
from daemon.config.settings import Settings
from daemon.intake.admit.duplicates import what_next
from daemon.intake.admit.identify import Identified, header_refusal, identify
from daemon.intake.admit.identities import Identities
from daemon.intake.admit.refusals import size_refusal
from daemon.intake.observe.entries import Dropped, Entry, look_at
from daemon.intake.observe.markers import broken_promise, promise_in
from daemon.intake.observe.names import Names
from daemon.intake.observe.queue import LARGE_BYTES
from daemon.intake.observe.refusal import Refusal, kind_refusal, unreadable
from daemon.intake.observe.settle import EMPTY_PATIENCE_S
from daemon.intake.observe.writers import Writer, writers_of
from daemon.intake.sign_of_life import watch_of
from workflows.errors import SourceError
from workflows.ids import displayed, printable

RuleState = Literal["ignored", "left", "settling", "held", "refused", "duplicate", "waiting"]
"""What becomes of a file that breaks a rule: how it stands until something changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule and how a file stands to it. `passed` is None where it was not looked at, or cannot be seen from here.

    `todo` is what would make it pass, `wait_s` for how many seconds it will still fail if nothing changes.
    """

    rule: str
    passed: bool | None
    why: str
    todo: str = ""
    wait_s: float | None = None
    leads_to: RuleState = "waiting"


class Rules:
    """The rules of one inbox. Blocking; reads, and writes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._inbox = settings.inbox.absolute()
        self._names = Names(settings)
        self._identities = Identities(settings, Receipts(settings.state_dir.absolute()))

    def of_name(self, name: bytes) -> Iterator[Rule]:
        """Yield the rules that the name alone decides."""
        kind = self._names.kind(name)
        wrong = {
            "own": "a folder of batchd's own",
            "marker": "a ready marker, which only speaks for another file",
            "ignored": "a hidden name, or one that uploaders give to unfinished files",
        }.get(kind)
        yield _rule("name", wrong, "an ordinary name", "rename it", leads_to="ignored")
        mismatch = f"it does not match {self._settings.pattern}" if kind == "mismatch" else None
        todo = "rename it, or change BATCH_PATTERN"
        yield _rule("pattern", mismatch, f"it matches {self._settings.pattern}", todo, leads_to="left")

    def of_entry(self, entry: Entry, writer: Writer | None) -> Iterator[Rule]:
        """Yield the rules that need a look at the file, but not into it; the first is whether it is a file at all."""
        yield _refused("kind", kind_refusal(entry), "a regular file", leads_to="left")
        yield self._quiet(entry)
        marker = self._names.marker_of(entry.name)
        if marker is not None:
            missing = None if os.path.lexists(self._inbox / os.fsdecode(marker)) else "its ready marker is not there"
            shown = printable(displayed(marker))
            yield _rule("ready marker", missing, f"{shown} is there", f"make {shown} beside it", leads_to="held")
        held = f"process {writer.pid} ({printable(writer.command)}) has it open for writing" if writer else None
        yield _rule("no writer", held, "nobody is seen writing to it", "let that process close it", leads_to="held")
        for name in ("not empty", "size"):
            refusal = size_refusal(entry.fingerprint.size_bytes, self._settings)
            broken = refusal if refusal and refusal.rule == name else None
            yield _refused(name, broken, f"{entry.fingerprint.size_bytes} bytes", leads_to="refused")

    def of_access(self, entry: Entry) -> Rule:
        """Return whether this user may read the file; it is not opened."""
        allowed = os.access(self._inbox / os.fsdecode(entry.name), os.R_OK, effective_ids=True)
        refusal = None if allowed else unreadable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        return _refused("readable", refusal, "it may be read", leads_to="left")

    def of_content(self, entry: Entry) -> Iterator[Rule]:
        """Yield the rules that need a look into the file. Of one over 64 MiB only the beginning is read for this."""
        dropped = Dropped(name=entry.name, folder=self._inbox, fingerprint=entry.fingerprint)
        if entry.fingerprint.size_bytes >= LARGE_BYTES:
            refusal = header_refusal(dropped, self._settings)
            large = Rule(
                rule="content", passed=None, why="a large file; whether it is new is found when its turn comes"
            )
            yield _refused("content", refusal, "", leads_to="refused") if refusal else large
            return
        found = identify(dropped, self._settings, threading.Event())
        if found is None:
            yield Rule(rule="readable", passed=False, why="it has just changed", todo="wait", leads_to="settling")
            return
        refusal = found if isinstance(found, Refusal) else None
        unread = refusal if refusal and refusal.rule == "readable" else None
        yield _refused("readable", unread, "it can be read", leads_to="left")
        if unread:
            return
        yield _refused("content", refusal, "it looks like CSV text", leads_to="refused")
        if isinstance(found, Identified):
            yield from self._of_identity(dropped, found)

    def of_service(self) -> Rule:
        """Return whether a daemon is there to take files, and moves."""
        watch = watch_of(self._settings)
        passed = {"watched": True, "unknown": None}.get(watch.attendance, False)
        return Rule(rule="service", passed=passed, why=watch.why, todo=watch.todo)

    def look(self, name: bytes) -> tuple[Entry | None, Writer | None]:
        """Return what stands under a name in the inbox, and who writes to it."""
        entry = look_at(self._inbox / os.fsdecode(name))
        if entry is None:
            return None, None
        found = writers_of([entry.fingerprint]) if entry.kind == "file" else {}
        return entry, found.get((entry.fingerprint.device, entry.fingerprint.inode))

    def _quiet(self, entry: Entry) -> Rule:
        settle_s = self._settings.settle_s
        wanted_s = settle_s if entry.fingerprint.size_bytes else max(settle_s, EMPTY_PATIENCE_S)
        quiet_s = max(0.0, time.time() - entry.fingerprint.ctime_ns / 1e9)
        left_s = max(0.0, wanted_s - quiet_s)
        if left_s:
            why = f"unchanged for {quiet_s:.1f} s of {wanted_s:g} s"
            return Rule(
                rule="settled", passed=False, why=why, todo="wait", wait_s=round(left_s, 1), leads_to="settling"
            )
        return Rule(rule="settled", passed=True, why=f"unchanged for at least {wanted_s:g} s")

    def _of_identity(self, dropped: Dropped, found: Identified) -> Iterator[Rule]:
        marker = self._names.marker_of(dropped.name)
        if marker is not None:
            yield _refused("promise", self._broken(dropped, found, marker), "it is what its marker says")
        policy = self._settings.identity
        identified = self._identities.identified(dropped.name, found.sha256)
        first = identified.first
        known = None if first is None else f"batch {first.id} ({first.state}) was made of the same file ({policy})"
        todo = "" if first is None else what_next(first)
        yield _rule("new", known, f"no batch of this identity ({policy}); it becomes {identified.id}", todo,
                    leads_to="duplicate")  # fmt: skip

    def _broken(self, dropped: Dropped, found: Identified, marker: bytes) -> Refusal | None:
        try:
            return broken_promise(
                promise_in(self._inbox / os.fsdecode(marker)),
                size_bytes=dropped.fingerprint.size_bytes,
                sha256=found.sha256,
                path=dropped.path,
                csv=self._settings.shape().csv,
            )
        except FileNotFoundError:
            return None  # told by the rule before
        except (OSError, SourceError) as error:
            return Refusal(rule="marker", what=str(error), mend="drop the whole file and its marker again")


def _rule(rule: str, wrong: str | None, right: str, todo: str, *, leads_to: RuleState = "waiting") -> Rule:
    if wrong:
        return Rule(rule=rule, passed=False, why=wrong, todo=todo, leads_to=leads_to)
    return Rule(rule=rule, passed=True, why=right)


def _refused(rule: str, refusal: Refusal | None, right: str, *, leads_to: RuleState = "refused") -> Rule:
    if refusal is None:
        return Rule(rule=rule, passed=True, why=right)
    return Rule(rule=rule, passed=False, why=refusal.what, todo=refusal.mend, leads_to=leads_to)
