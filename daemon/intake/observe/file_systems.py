"""What the file system of an inbox can be relied upon for."""

from __future__ import annotations

import os
from pathlib import Path

LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"})
"""These date a folder whenever an entry of it comes, goes or is renamed. Others may not, or may say so later."""

MOUNTS = Path("/proc/self/mountinfo")


def dates_its_folders(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Return whether the time of change of a folder tells for sure that its entries are the same. Blocking.

    False where that is not known, as on a network mount.
    """
    return kind_of(folder, mounts) in LOCAL


def kind_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that a folder lies on; empty where there is no list of mounts. Blocking.

    See proc_pid_mountinfo(5).
    """
    path, kinds = os.path.realpath(folder), {0: ""}
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")  # a blank stands as \040
        if path == point or path.startswith(f"{point.rstrip('/')}/"):
            kinds[len(point)] = after.split(" ")[0]  # of two mounts at one point, the later one hides the other
    return kinds[max(kinds)]
