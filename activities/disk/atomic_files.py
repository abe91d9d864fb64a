"""Writing a file so that it appears whole or not at all, whatever kills the process or the power.

It is written under a hidden name beside its place, synced, and renamed. Folders that are reached only through a
descriptor have the same in `activities.disk.directory`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from activities.disk.failpoints import failpoint
from activities.disk.modes import FILE_MODE, FOLDER_MODE, file_mode_in

TEMPORARY = ".tmp-"
STALE_S = 3_600.0


def temporary_name() -> str:
    """Return a hidden name that nobody else uses; `sweep` removes what a kill leaves under it."""
    return f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def removed_after(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file, and remove what still stands there at the end of the block."""
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def temporary_beside(path: Path) -> contextlib.AbstractContextManager[Path]:
    """Yield a hidden path in the folder of `path`; what still stands there at the end of the block is removed."""
    return removed_after(path.with_name(temporary_name()))


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file at once: whatever happens, the old or the new content stands there. Durable on return.

    The group of its folder may read it where the folder is for its group.
    """
    replace_whole(path, content, mode=file_mode_in(path.parent.stat().st_mode))
    sync_folder(path.parent)


def replace_whole(path: Path, content: bytes, *, mode: int = FILE_MODE, synced: bool = True) -> None:
    """Write a small file at once, as `write_whole`, without making its name outlast a power cut."""
    with temporary_beside(path) as temporary:
        write_new(temporary, content, mode=mode, synced=synced)
        temporary.replace(path)


def write_new(path: Path, content: bytes, *, mode: int = FILE_MODE, synced: bool = True) -> None:
    """Make a new file, of `mode` less the umask; where `synced`, it is on disk when this returns."""
    failpoint("new_file.open.before")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        if synced:
            file.flush()
            failpoint("new_file.sync.before")
            os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable against a power cut; it is no error where the folder is gone."""
    with contextlib.suppress(FileNotFoundError):
        failpoint("names.sync.before")
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sweep(folder: Path, older_than_s: float = STALE_S) -> None:
    """Remove what writers that were killed have left behind; one that is still writing only has to write again."""
    oldest_s = time.time() - older_than_s
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY) and entry.stat(follow_symlinks=False).st_ctime <= oldest_s:
                Path(entry.path).unlink(missing_ok=True)
