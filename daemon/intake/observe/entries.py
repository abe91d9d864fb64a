"""What lies in a folder now: one pass, names as bytes, nothing opened, no link followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from activities.disk.fingerprint import Fingerprint

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
