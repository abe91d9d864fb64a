"""Taking a file out of the inbox: the one that was checked, with its ready marker, or none.

A sender may put another file under the name between the check and the rename. So the file goes to a folder that is ours
alone and is compared there; one that was not checked goes back, and where its name is taken by a still newer one, it
stays in that folder, where the next scan finds it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from pathlib import Path

from activities.disk.atomic_files import sync_folder
from activities.disk.failpoints import failpoint
from activities.disk.fingerprint import Fingerprint
from activities.disk.moves import rename_where_free
from activities.source.inbox import make_in
from activities.workspace import PROCESSING
from daemon.intake.observe.entries import Dropped, Names, entry_at

SET_ASIDE = "set-aside-"
"""How folders in `.processing/` begin that hold a file on its way to `duplicates/` or `failed/`."""


class CheckedMoves:
    """Moves files of one inbox. Blocking, safe to use from many threads and processes at once."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def into(self, dropped: Dropped, folder: Path) -> bool:
        """Rename a file, and its ready marker before it, into a folder that is made for it.

        False where it is not there any more as it was checked, or where somebody else uses the folder.

        Raises:
            OSError: the folder cannot be made.
        """
        if not _made(folder):
            return False
        failpoint("claim.folder_made")
        self._move_marker(dropped, folder)
        now = entry_at(dropped.path)
        moved = now is not None and now.fingerprint == dropped.fingerprint and _renamed(dropped, folder)
        if not moved:
            if not os.path.lexists(folder / dropped.path.name):
                self._give_back_marker(dropped, folder)
            with contextlib.suppress(OSError):
                folder.rmdir()
            return False
        # The one thing that has to outlast a power cut here: where the new name is lost, a start would find no file.
        sync_folder(folder)
        failpoint("claim.synced")
        return True

    def _move_marker(self, dropped: Dropped, folder: Path) -> None:
        """Take the marker along, so that it cannot vouch for the next file of this name."""
        marker = self._names.marker_of(dropped.name)
        if marker is not None:
            with contextlib.suppress(FileNotFoundError):
                rename_where_free(dropped.folder / os.fsdecode(marker), folder / os.fsdecode(marker))
            failpoint("claim.marker_moved")

    def _give_back_marker(self, dropped: Dropped, folder: Path) -> None:
        marker = self._names.marker_of(dropped.name)
        if marker is not None:
            with contextlib.suppress(FileNotFoundError):
                give_back(folder / os.fsdecode(marker), dropped.folder)


def give_back(marker: Path, folder: Path) -> None:
    """Put a ready marker back beside its file; it is removed where the next file's stands there already.

    Raises:
        OSError: it is gone, or cannot be moved.
    """
    try:
        rename_where_free(marker, folder / marker.name)
    except FileExistsError:
        marker.unlink()


def set_aside_id(name: bytes, fingerprint: Fingerprint) -> str:
    """Return the name of the folder in `.processing/` for a file that becomes no batch: the same for the same file."""
    return SET_ASIDE + digest_of(name, fingerprint)


def digest_of(name: bytes, fingerprint: Fingerprint) -> str:
    """Return 12 hex digits for a file by name, size, time of change and inode."""
    facts = [name, *(str(each).encode() for each in fingerprint.pin)]
    return hashlib.sha256(b"/".join(facts)).hexdigest()[:12]


def _renamed(dropped: Dropped, folder: Path) -> bool:
    """Rename, and make sure of what was renamed: another file may have taken its place a moment before."""
    target = folder / dropped.path.name
    try:
        rename_where_free(dropped.path, target)
    except FileNotFoundError:
        return False
    failpoint("claim.renamed")
    there = entry_at(target)
    if there is not None and there.fingerprint.same_but_moved(dropped.fingerprint):
        return True
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        rename_where_free(target, dropped.path)
    return False


def _made(folder: Path) -> bool:
    """Make the folder of a batch for ourselves alone; False where somebody else is using it."""
    make_in(folder.parent.parent, PROCESSING)
    for _ in range(2):
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            # Left empty by a kill, or just made by another daemon: that one's rename then fails, and it tries again.
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR}:
                    raise
        else:
            return True
    return False
