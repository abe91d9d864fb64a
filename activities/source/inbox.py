"""Is the inbox on this host now? It may be unmounted, moved away for a while, or not be mounted here at all.

Nothing is concluded from what is missing but this: a file that is not in a folder that is there was taken out of it.
Everything else is waited for, and nothing here or in what calls it ever makes an inbox: it would hide the one that
comes back.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from activities.disk.modes import FOLDER_MODE, folder_mode_in
from workflows.errors import InboxMissing, SourceVanished
from workflows.ids import displayed, printable

FOR_NOBODY_ELSE = frozenset({".processing", "archive"})
"""Folders in an inbox that senders need not see; what lies there is no longer theirs."""


def make_in(root: Path, *names: str) -> Path:
    """Make a folder in `root`, and those between the two, where they are missing, and return it. `root` is never made.

    Raises:
        FileNotFoundError: there is no `root`.
        InboxMissing: something else stands where a folder has to be.
    """
    folder = root
    for name in names:
        folder /= name
        try:
            folder.mkdir(mode=_mode_of(folder), exist_ok=True)
        except FileExistsError as error:
            raise InboxMissing(in_the_way(folder)) from error
    return folder


def _mode_of(folder: Path) -> int:
    """Return the mode of a folder to be made: what failed is for those who dropped it, if they are a group."""
    return FOLDER_MODE if folder.name in FOR_NOBODY_ELSE else folder_mode_in(folder.parent.stat().st_mode)


def blocked_folder(inbox: Path, names: Iterable[str]) -> Path | None:
    """Return the first of the folders in `inbox` in whose place something else stands."""
    folders = (inbox / name for name in names)
    return next((each for each in folders if os.path.lexists(each) and not each.is_dir()), None)


def in_the_way(folder: Path) -> str:
    """Return what is wrong, and what to do, where something else stands in the place of a folder."""
    return f"{_printable(folder)} is no folder, and batchd keeps one of that name there; move away what stands there"


def check_any_here(*folders: Path) -> None:
    """Return where at least one of the folders is there.

    Raises:
        InboxMissing: none is.
    """
    errors: list[OSError] = []
    for folder in folders:
        try:
            os.close(_opened(folder))
        except OSError as error:
            errors.append(error)
        else:
            return
    raise _out_of_reach(folders[0], errors[0])


def why_missing(path: bytes) -> SourceVanished | InboxMissing:
    """Return what it means that a claimed file could not be reached at its path a moment ago."""
    folder, name = Path(os.fsdecode(os.path.dirname(path))), os.path.basename(path)  # noqa: PTH119, PTH120 - bytes
    try:
        entered = _opened(folder)
    except OSError as error:
        return _out_of_reach(folder, error)
    try:
        os.stat(name, dir_fd=entered, follow_symlinks=False)
    except FileNotFoundError:
        return SourceVanished(f"{printable(displayed(name))}: the file is gone; drop it again")
    except OSError as error:
        return _out_of_reach(folder, error)
    finally:
        os.close(entered)
    return InboxMissing(f"{_printable(folder)} was out of reach for a moment; the batch goes on by itself")


def can_be_seen(path: bytes) -> bool:
    """Return whether the folder of a file can be entered, and the file is there."""
    try:
        os.lstat(path)
    except OSError:
        return False
    return True


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _out_of_reach(folder: Path, error: OSError) -> InboxMissing:
    host = socket.gethostname()
    unseen = next((each for each in reversed((folder, *folder.parents)) if not os.path.lexists(each)), None)
    if unseen and error.errno in {errno.ENOENT, errno.ENOTDIR}:
        what = f"{_printable(unseen)} is not there on {host}"
    else:
        what = f"{_printable(unseen.parent if unseen else folder)} cannot be entered on {host} ({error.strerror})"
    return InboxMissing(f"{what}; the batch goes on by itself once it is back")


def _printable(folder: Path) -> str:
    return printable(displayed(os.fsencode(folder)))
