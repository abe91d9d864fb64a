"""What may stand in the way of a file: one check for each rule, and the words for it."""

from __future__ import annotations

import errno
import os
from functools import cache, lru_cache

from daemon.config.feed_settings import setting_name
from daemon.intake.admit.candidate import Candidate
from daemon.intake.admit.duplicates import what_next
from daemon.intake.admit.identify import Identified, header_obstacle
from daemon.intake.admit.refusals import Obstacle, unreadable
from daemon.intake.observe.entries import Kind, NameKind
from daemon.intake.observe.markers import broken_promise
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


def not_served(candidate: Candidate) -> Obstacle | None:
    """No daemon takes files from the inbox, as far as can be seen."""
    watch = candidate.context.watch
    if watch.attendance == "watched":
        return None
    return Obstacle(watch.why, watch.todo, certain=watch.attendance != "unknown")


def mismatch(candidate: Candidate) -> Obstacle | None:
    """Not of the pattern."""
    settings = candidate.context.settings
    is_other = candidate.name_kind == "mismatch"
    return _mismatch_of(settings.pattern, setting_name(settings, "pattern")) if is_other else None


@cache
def _mismatch_of(pattern: str, setting: str) -> Obstacle:
    return Obstacle(
        f"it does not match {pattern}",
        f"rename it, or change {setting}",
        "left",
        logged_why=f"its name does not match {setting}",
        logged_todo="rename it",
    )


def unsettled(candidate: Candidate) -> Obstacle | None:
    """Changed a moment ago, by the time of change in the file system."""
    quiet_s, wanted_s = candidate.quiet_s, candidate.wanted_quiet_s
    if quiet_s >= wanted_s:
        return None
    why = f"unchanged for {quiet_s:.1f} s of {wanted_s:g} s"
    return Obstacle(why, "wait", "settling", wait_s=round(wanted_s - quiet_s, 1))


def no_marker(candidate: Candidate) -> Obstacle | None:
    """Its ready marker is missing."""
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


def written(candidate: Candidate) -> Obstacle | None:
    """A process has it open for writing."""
    writer = candidate.writer
    if writer is None:
        return None
    why = f"process {writer.pid} ({printable(writer.command)}) has it open for writing"
    return Obstacle(why, "let that process close it", "held", logged_todo=_TAKEN_LATER)


def too_large(candidate: Candidate) -> Obstacle | None:
    """Over the size that the feed allows."""
    size_bytes, settings = candidate.entry.fingerprint.size_bytes, candidate.context.settings
    most_bytes, setting = settings.max_file_bytes, setting_name(settings, "max_file_bytes")
    if size_bytes <= most_bytes:
        return None
    why = f"{size_bytes} bytes, and {setting} allows {most_bytes}"
    return Obstacle(why, f"split the file, or raise {setting} and drop it again", "refused")


def unreadable_content(candidate: Candidate) -> Obstacle | None:
    """It cannot be read, or changed while it was."""
    found = candidate.content
    if found is None:
        return _JUST_CHANGED
    return found if isinstance(found, Obstacle) and found.leads_to == "left" else None


def may_not_be_read(candidate: Candidate) -> Obstacle | None:
    """This user may not read it; it is not opened."""
    if os.access(candidate.dropped.path, os.R_OK, effective_ids=True):
        return None
    return unreadable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def no_csv(candidate: Candidate) -> Obstacle | None:
    """No CSV text, or one without a usable header."""
    if candidate.beginning_only:
        return header_obstacle(candidate.dropped, candidate.context.settings) or _UNREAD
    found = candidate.content
    return found if isinstance(found, Obstacle) and found.leads_to == "refused" else None


def promise_broken(candidate: Candidate) -> Obstacle | None:
    """Not what its ready marker says. Rows are counted only where it names a number; one that is gone says nothing."""
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


def known(candidate: Candidate) -> Obstacle | None:
    """A batch was made of the same file."""
    found = candidate.identification
    if found is None or found.first is None:
        return None
    policy = candidate.context.settings.identity
    why = f"batch {found.first.id} ({found.first.state}) was made of the same file ({policy})"
    return Obstacle(why, what_next(found.first), "duplicate")


def wrong_name(candidate: Candidate) -> Obstacle | None:
    """A hidden, unfinished or own name, or that of a marker."""
    return _BROKEN_NAMES.get(candidate.name_kind)


def no_file(candidate: Candidate) -> Obstacle | None:
    """Not a regular file. It is never opened, and stays where it is."""
    return _NO_FILES.get(candidate.entry.kind)


def empty(candidate: Candidate) -> Obstacle | None:
    """No bytes at all."""
    return None if candidate.entry.fingerprint.size_bytes else _EMPTY
