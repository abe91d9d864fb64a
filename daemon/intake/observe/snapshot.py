"""One look at the inbox: which files have settled, which still have to wait, which are left, and why."""

from __future__ import annotations

import logging
import os
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from activities.disk.fingerprint import Fingerprint
from activities.registry.timestamps import now_text
from daemon.config.settings import Settings
from daemon.intake.observe.entries import Dropped, Entry, entries
from daemon.intake.observe.names import Names
from daemon.intake.observe.refusal import Refusal, kind_refusal
from daemon.intake.observe.settle import Settling
from daemon.intake.observe.writers import writers_of
from daemon.intake.sign_of_life import check_inbox
from workflows.ids import displayed, printable

HELD_LOOK_S = 1.0
"""A file that a writer still holds, or whose marker is missing, is looked at again this soon at the earliest."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Seen:
    """What one look found. `next_due_s`: seconds until the first settling file may have settled."""

    settled: list[Dropped] = field(default_factory=list)
    settling: int = 0
    held: int = 0
    left: int = 0
    next_due_s: float | None = None


@dataclass(slots=True)
class _Listed:
    names: set[bytes] = field(default_factory=set)
    markers: set[bytes] = field(default_factory=set)
    mismatches: set[bytes] = field(default_factory=set)


class Look:
    """Looks at one inbox and remembers what was told about it. Blocking; one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._inbox = settings.inbox.absolute()
        self._names = Names(settings)
        self._settling = Settling(settings.settle_s)
        self._told: dict[bytes, str] = {}
        self._left_unread: dict[bytes, Fingerprint] = {}

    def clear(self) -> None:
        """Forget everything: another inbox stands there now."""
        self._settling.clear()
        self._told.clear()
        self._left_unread.clear()

    def around(self, now_s: float, in_hand: Container[bytes]) -> Seen:
        """Look at every entry once; a file `in_hand` is not even touched.

        Raises:
            OSError: the inbox is missing or cannot be read.
        """
        seen, listed, now_at = Seen(), _Listed(), now_text()
        quiet = []
        for entry in entries(self._inbox, lambda name: self._lists(name, listed) and name not in in_hand):
            if self._is_for_us(entry, listed, seen):
                wait_s = self._settling.look(entry, now_s, now_at)
                if wait_s > 0:
                    seen.settling += 1
                    _due(seen, wait_s)
                else:
                    quiet.append(entry)
        self._pick(quiet, listed.markers, seen, now_at)
        self._settling.keep_only(listed.names)
        self._forget_all_but(listed.names)
        return seen

    def leave(self, name: bytes, fingerprint: Fingerprint, refusal: Refusal) -> None:
        """Leave a file that may not be read where it is until it changes."""
        self._left_unread[name] = fingerprint
        self._tell(name, "file.left", refusal.what, refusal.mend)

    def delay(self, name: bytes, why: str) -> None:
        """Note that a file could not be taken for now."""
        self._tell(name, "file.delayed", why, "it is tried again by itself", level=logging.WARNING)

    def _lists(self, name: bytes, listed: _Listed) -> bool:
        kind = self._names.kind(name)
        if kind == "marker":
            listed.markers.add(name)
        elif kind == "mismatch":
            listed.mismatches.add(name)
        if kind not in {"wanted", "mismatch"}:
            return False
        listed.names.add(name)
        return True

    def _is_for_us(self, entry: Entry, listed: _Listed, seen: Seen) -> bool:
        refusal = kind_refusal(entry)
        if refusal is None and entry.name in listed.mismatches:
            refusal = Refusal(rule="pattern", what="its name does not match BATCH_PATTERN", mend="rename it")
        if refusal:
            self._tell(entry.name, "file.left", refusal.what, refusal.mend)
        unread = self._left_unread.get(entry.name) == entry.fingerprint
        seen.left += bool(refusal) or unread
        return refusal is None and not unread

    def _pick(self, quiet: list[Entry], markers: Container[bytes], seen: Seen, now_at: str) -> None:
        """Of the files that have been quiet long enough, pick those that are marked ready and that nobody writes to."""
        ready = []
        for entry in quiet:
            marker = self._names.marker_of(entry.name)
            if marker is None or marker in markers:
                ready.append(entry)
            else:
                self._hold(entry, seen, f"its ready marker {printable(displayed(marker))} is not there")
        writers = writers_of([each.fingerprint for each in ready])
        for entry in ready:
            writer = writers.get((entry.fingerprint.device, entry.fingerprint.inode))
            if writer:
                self._hold(entry, seen, f"process {writer.pid} ({printable(writer.command)}) has it open for writing")
            else:
                seen.settled.append(self._dropped(entry, now_at))

    def _hold(self, entry: Entry, seen: Seen, why: str) -> None:
        seen.held += 1
        _due(seen, HELD_LOOK_S)
        self._tell(entry.name, "file.held", why, "it is taken when that ends")

    def _dropped(self, entry: Entry, now_at: str) -> Dropped:
        first_seen_s, first_seen_at = self._settling.first_seen(entry.name)
        return Dropped(
            name=entry.name,
            folder=self._inbox,
            fingerprint=entry.fingerprint,
            first_seen_at=first_seen_at,
            stable_at=now_at,
            first_seen_s=first_seen_s,
        )

    def _tell(self, name: bytes, event: str, why: str, mend: str, *, level: int = logging.INFO) -> None:
        """Say it once, and again only when there is something else to say of the same file."""
        if self._told.get(name) != event + why:
            self._told[name] = event + why
            fields = {"file": displayed(name), "why": printable(why), "todo": mend}
            logger.log(level, event, extra={"fields": fields})

    def _forget_all_but(self, names: set[bytes]) -> None:
        remembered: tuple[dict[bytes, Any], ...] = (self._told, self._left_unread)
        for known in remembered:
            for gone in [each for each in list(known) if each not in names]:
                known.pop(gone, None)


def _due(seen: Seen, wait_s: float) -> None:
    seen.next_due_s = wait_s if seen.next_due_s is None else min(seen.next_due_s, wait_s)


def folder_identity(settings: Settings) -> tuple[int, int]:
    """Return which folder stands at the path of the inbox now.

    Raises:
        OSError: none does, or only the point where it was mounted.
    """
    check_inbox(settings)
    status = os.stat(settings.inbox)  # noqa: PTH116 - with the mode beside it
    return status.st_dev, status.st_ino
