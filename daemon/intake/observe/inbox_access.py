"""Who else may write to the inbox, and what they could do there to the folders that batchd keeps in it.

Whoever may write a folder may rename what lies in it, `.processing/` with the claimed files too, unless the folder has
the sticky bit: then only the owner of an entry, or of the folder itself, may.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from daemon.intake.observe.entries import FOLDERS

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
ROOT = 0


def is_shared(inbox: Path) -> bool:
    """True if the mode of the inbox lets a group or everybody write.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    return bool(inbox.stat().st_mode & WRITABLE_BY_OTHERS)


def check_own_folders(inbox: Path) -> None:
    """Return where batchd's folders belong to this user or root, or nobody else may write the inbox.

    Raises:
        PermissionError: one of the folders in a shared inbox is somebody else's.
        OSError: the inbox is not there.
    """
    if not is_shared(inbox):
        return
    for folder in (inbox / name for name in FOLDERS):
        try:
            entry, status = folder.lstat(), folder.stat()
        except FileNotFoundError:
            continue
        strangers = {entry.st_uid, status.st_uid} - {ROOT, os.geteuid()}
        if strangers:
            what = f"it belongs to uid {min(strangers)}, and others may write the inbox; move it away, or chown it"
            raise PermissionError(errno.EPERM, what, str(folder))


def weakness(inbox: Path) -> tuple[str, str] | None:
    """Return what senders could do to each other's files and to claimed ones, and what to do about it.

    Raises:
        OSError: the inbox is not there.
    """
    status = inbox.stat()
    if not status.st_mode & WRITABLE_BY_OTHERS:
        return None
    for folder in (inbox / name for name in FOLDERS):
        if folder.is_dir() and folder.stat().st_mode & WRITABLE_BY_OTHERS:
            return f"others may write {folder}", f"chmod go-w {folder}, or mount the inbox so that they may not"
    if status.st_mode & stat.S_ISVTX:
        return None
    found = f"whoever may write {inbox} (mode {stat.S_IMODE(status.st_mode):04o}) may move or swap all that lies there"
    return f"{found}, claimed files too", f"give it to the user of the service, and chmod +t {inbox}"


def cannot_be_claimed(inbox: Path) -> tuple[str, str] | None:
    """Return why this user cannot take the files of others out of an inbox with the sticky bit, and what to do.

    Raises:
        OSError: the inbox is not there.
    """
    status = inbox.stat()
    if not status.st_mode & stat.S_ISVTX or os.geteuid() in {ROOT, status.st_uid}:
        return None
    found = f"{inbox} has the sticky bit and belongs to uid {status.st_uid}: files of other users cannot be taken"
    return found, "give it to the user of the service (chown), or take the bit away (chmod -t)"
