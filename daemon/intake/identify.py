"""What a settled file is: its sha256, streamed, and how it is best worked.

The file is opened without following a link or waiting for anything, and its fingerprint is held against the settled one
before and after: a digest is never made of two states of one file.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from activities.failpoints import failpoint
from daemon.intake.entries import Dropped, Fingerprint
from daemon.intake.refusals import SAMPLED_BYTES, Refusal, content_refusal, unreadable
from daemon.settings import Settings
from workflows.models import Mode
from workflows.policies import MAX_PAGES_AT_ONCE

BLOCK_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Identified:
    """The digest of the whole file, and the mode it asks for."""

    sha256: str
    mode: Mode


def identify(dropped: Dropped, settings: Settings, stopping: threading.Event) -> Identified | Refusal | None:
    """Read a file once. None where it changed, vanished, or `stopping` was set: look at it again later.

    Blocking; as long as the file is, in memory for one block.
    """
    try:
        failpoint("identify.open")
        fd = _opened(dropped.path)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        return unreadable(error)
    try:
        if Fingerprint.of(os.fstat(fd)) != dropped.fingerprint:
            return None
        return _read(fd, dropped, settings, stopping)
    finally:
        os.close(fd)


def mode_of(size_bytes: int, lines: int, settings: Settings) -> Mode:
    """Return `in-memory` for a small file of few pages, else `cursor`."""
    few = lines <= MAX_PAGES_AT_ONCE * settings.page_rows
    return "in-memory" if size_bytes <= settings.in_memory_max_bytes and few else "cursor"


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _read(fd: int, dropped: Dropped, settings: Settings, stopping: threading.Event) -> Identified | Refusal | None:
    digest = hashlib.sha256()
    lines = offset = 0
    while block := os.pread(fd, BLOCK_BYTES, offset):
        if offset == 0:
            refusal = content_refusal(block[:SAMPLED_BYTES], settings)
            if refusal:
                return refusal if _unchanged(fd, dropped) else None
            lines = _line_breaks(block)  # all of them wherever they count: an in-memory file is one block
        if stopping.is_set():
            return None
        digest.update(block)
        offset += len(block)
    if offset != dropped.fingerprint.size_bytes or not _unchanged(fd, dropped):
        return None
    return Identified(digest.hexdigest(), mode_of(offset, lines, settings))


def _unchanged(fd: int, dropped: Dropped) -> bool:
    return Fingerprint.of(os.fstat(fd)) == dropped.fingerprint


def _line_breaks(block: bytes) -> int:
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
