"""What a settled file is: its sha256, streamed, how it is written, and how it is best worked.

The file is opened without following a link or waiting for anything, and its fingerprint is held against the settled one
before and after: a digest is never made of two states of one file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activities.disk.failpoints import failpoint
from activities.disk.fingerprint import Fingerprint
from activities.disk.hashing import BLOCK_BYTES, HashedBlocks
from activities.source.detection.claim import claimed_dialect
from activities.source.detection.doubt import DoubtfulDialect
from activities.source.encoding import SAMPLE_BYTES, encoding_of
from activities.source.pinned_file import PinnedFile
from activities.source.utf8_scan import Utf8Scan
from daemon.config.feed_settings import check_used_columns
from daemon.config.settings import Settings
from daemon.intake.admit.refusals import Obstacle, unreadable
from daemon.intake.observe.entries import Dropped
from workflows.errors import InvalidCsv, SourceChanged
from workflows.models import MAX_PAGES_AT_ONCE, Mode, PinnedDialect


@dataclass(frozen=True, slots=True)
class Identified:
    """The digest of the whole file, the mode it asks for, and its dialect, which is pinned by the claim."""

    sha256: str
    mode: Mode
    dialect: PinnedDialect | None = None


def identify(dropped: Dropped, settings: Settings, stopping: threading.Event) -> Identified | Obstacle | None:
    """Read a file once. None where it changed, vanished, or `stopping` was set: try again later.

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


def header_obstacle(dropped: Dropped, settings: Settings) -> Obstacle | None:
    """Return why a file will be refused by its beginning alone: the header and the first records. Blocking, but short.

    None where it is good, and where it cannot be looked at.
    """
    try:
        fd = _opened(dropped.path)
    except OSError:
        return None
    try:
        sample = os.pread(fd, SAMPLE_BYTES, 0)
        scan = Utf8Scan()
        scan.feed(sample if len(sample) < SAMPLE_BYTES else sample[: sample.rfind(b"\n") + 1])  # no half character
        found = _wrong_text(sample, settings) or _dialect(fd, dropped, settings, scan)
    finally:
        os.close(fd)
    return found if isinstance(found, Obstacle) else None


def mode_of(size_bytes: int, lines: int, settings: Settings) -> Mode:
    """Return `in-memory` for a small file of few pages, else `cursor`."""
    few = lines <= MAX_PAGES_AT_ONCE * settings.page_rows
    return "in-memory" if size_bytes <= settings.in_memory_max_bytes and few else "cursor"


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _read(fd: int, dropped: Dropped, settings: Settings, stopping: threading.Event) -> Identified | Obstacle | None:
    hashed, scan, lines = HashedBlocks(_blocks(fd)), Utf8Scan(), 0
    for block in hashed:
        if hashed.size_bytes == len(block):
            obstacle = _wrong_text(block[:SAMPLE_BYTES], settings)
            if obstacle:
                return obstacle if _unchanged(fd, dropped) else None
            lines = _line_breaks(block)  # all of them wherever they count: an in-memory file is one block
        if stopping.is_set():
            return None
        scan.feed(block)
    if hashed.size_bytes != dropped.fingerprint.size_bytes:
        return None
    found = _dialect(fd, dropped, settings, scan)
    if not _unchanged(fd, dropped):
        return None
    if isinstance(found, Obstacle):
        return found
    return Identified(hashed.sha256(), mode_of(hashed.size_bytes, lines, settings), found)


def _wrong_text(sample: bytes, settings: Settings) -> Obstacle | None:
    """Return why a file is no CSV text, by its first `SAMPLE_BYTES` bytes."""
    try:
        encoding_of(sample, settings.encoding)
    except InvalidCsv as error:
        return Obstacle(str(error), "save it as CSV text in UTF-8 and drop it again", "refused")
    return None


def _blocks(fd: int) -> Iterator[bytes]:
    offset = 0
    while block := os.pread(fd, BLOCK_BYTES, offset):
        yield block
        offset += len(block)


def _dialect(fd: int, dropped: Dropped, settings: Settings, scan: Utf8Scan) -> PinnedDialect | Obstacle | None:
    try:
        found = claimed_dialect(PinnedFile.of(fd, dropped.path), settings.shape().csv, scan, settings.unchecked)
        check_used_columns(found.columns, settings)
        return found.pinned()
    except InvalidCsv as error:
        what, _, todo = str(error).rpartition("; ")
        logged = error.logged if isinstance(error, DoubtfulDialect) else ""
        todo = todo if what else "correct the file and drop it again"
        return Obstacle(what or str(error), todo, "refused", logged_why=logged)
    except SourceChanged:
        return None


def _unchanged(fd: int, dropped: Dropped) -> bool:
    return Fingerprint.of(os.fstat(fd)) == dropped.fingerprint


def _line_breaks(block: bytes) -> int:
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
