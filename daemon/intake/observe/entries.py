"""What lies in a folder now, and what the name of an entry alone says of it.

Found in one pass: names are bytes, nothing is opened, no link is followed.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from activities.disk.fingerprint import Fingerprint
from activities.file_source import ARCHIVE, FAILED
from activities.workspace import PROCESSING
from daemon.config.feed_settings import feeds_beside
from daemon.config.settings import Settings
from workflows.ids import displayed

DUPLICATES = "duplicates"

FOLDERS = (PROCESSING, ARCHIVE, FAILED, DUPLICATES)
"""What batchd keeps in an inbox."""

OWN_FOLDERS = frozenset({ARCHIVE.encode(), FAILED.encode(), DUPLICATES.encode()})
UNFINISHED = (b".part", b".partial", b".filepart", b".tmp", b".crdownload", b".swp", b"~")
"""Endings that uploaders and editors give a file until it is whole."""

NameKind = Literal["ignored", "own", "marker", "mismatch", "wanted"]
Kind = Literal["file", "symbolic link", "folder", "FIFO", "socket", "device"]

_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
}


class Entry(NamedTuple):
    """One name with what stands there. A tuple, as `Dropped` is: a scan makes thousands of them."""

    name: bytes
    kind: Kind
    fingerprint: Fingerprint


class Dropped(NamedTuple):
    """A settled file on its way to become a batch; `folder` is the inbox, or where an interrupted claim left it."""

    name: bytes
    folder: Path
    fingerprint: Fingerprint
    first_seen_at: str = ""
    stable_at: str = ""
    first_seen_s: float = 0.0

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / os.fsdecode(self.name)

    @property
    def age_order(self) -> tuple[float, int, bytes]:
        """Sorts the oldest first: seen first, then written first."""
        return (self.first_seen_s, self.fingerprint.mtime_ns, self.name)


def entries(folder: Path, wanted: Callable[[bytes], bool] = lambda _: True) -> Iterator[Entry]:
    """Yield the entries whose names are `wanted`; what vanishes meanwhile is left out.

    Raises:
        OSError: the folder is missing or cannot be read.
    """
    with os.scandir(os.fsencode(folder)) as found:
        for each in found:
            if wanted(each.name):
                try:
                    status = each.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Entry(each.name, kind_of(status.st_mode), Fingerprint.of(status))


def kind_of(mode: int) -> Kind:
    """Return what kind of thing a mode says."""
    return _KINDS.get(stat.S_IFMT(mode), "device")


def entry_at(path: Path) -> Entry | None:
    """Return what stands at `path`, not followed; None where there is nothing."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Entry(os.fsencode(path.name), kind_of(status.st_mode), Fingerprint.of(status))


class Names:
    """Sorts names by the settings. Names are bytes, as the file system has them."""

    def __init__(self, settings: Settings) -> None:
        self._pattern = re.compile(fnmatch.translate(settings.pattern), re.IGNORECASE)
        patterns_beside = "|".join(map(fnmatch.translate, feeds_beside(settings).values()))
        self._of_others = re.compile(patterns_beside, re.IGNORECASE) if patterns_beside else None
        before, _, after = settings.ready_marker.partition("{name}")
        self._marked = bool(settings.ready_marker)
        self._before, self._after = before.encode(), after.encode()

    def kind(self, name: bytes) -> NameKind:
        """Return what kind of name this is."""
        if name in OWN_FOLDERS:
            return "own"
        if self._is_marker(name):
            return "marker"
        if name.startswith(b".") or name.lower().endswith(UNFINISHED):
            return "ignored"
        if self._matches(name):
            return "wanted"
        return "ignored" if self.is_of_another_feed(name) else "mismatch"

    def is_of_another_feed(self, name: bytes) -> bool:
        """Return whether a feed that has the same inbox takes this name."""
        return self._of_others is not None and self._of_others.fullmatch(displayed(name)) is not None

    def marker_of(self, name: bytes) -> bytes | None:
        """Return the name of the ready marker that `name` needs; None where none is needed."""
        return self._before + name + self._after if self._marked else None

    def marked_by(self, marker: bytes) -> bytes:
        """Return the name that a ready marker speaks for."""
        return marker[len(self._before) : len(marker) - len(self._after)]

    def _is_marker(self, name: bytes) -> bool:
        if not self._marked or not name.startswith(self._before) or not name.endswith(self._after):
            return False
        return len(self._before) + len(self._after) < len(name) and self._matches(self.marked_by(name))

    def _matches(self, name: bytes) -> bool:
        return self._pattern.fullmatch(displayed(name)) is not None
