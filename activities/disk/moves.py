"""Moving a file so that it is never lost, never doubled, and never takes the place of another.

A move is one rename that refuses a taken name. Where the target is on another file system, the file is copied whole
under a hidden name first, so a half copy is never seen under a real one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

TEMPORARY = ".tmp-"
FOLDER_MODE = 0o700
FILE_MODE = 0o600
STALE_S = 3_600.0

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def rename_where_free(source: Path, target: Path) -> None:
    """Rename within one file system.

    Raises:
        FileExistsError: something stands at `target`; nothing was moved.
        FileNotFoundError: `source`, or the folder of `target`, is not there.
    """
    rename = _renameat2()
    if rename is not None:
        number = rename(os.fsencode(source), os.fsencode(target))
        if number == 0:
            return
        if number not in _NOT_SUPPORTED:
            raise OSError(number, os.strerror(number), str(source), None, str(target))
    # This file system (NFS, say) cannot refuse a taken name by itself, so the look before has to do.
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def move_where_free(source: Path, target: Path) -> None:
    """Move a file, also to another file system. Blocking; errors as `rename_where_free`."""
    try:
        rename_where_free(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_and_remove(source, target)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file at once: whatever happens, the old or the new content stands there. Durable on return."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        write_new(temporary, content)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Make a new file; where `synced`, it is on disk when this returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable against a power cut; it is no error where the folder is gone."""
    with contextlib.suppress(FileNotFoundError):
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


def _copy_and_remove(source: Path, target: Path) -> None:
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with source.open("rb") as reading, temporary.open("xb") as writing:
            shutil.copyfileobj(reading, writing, 1_048_576)
            writing.flush()
            os.fsync(writing.fileno())
        shutil.copystat(source, temporary)
        rename_where_free(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    sync_folder(target.parent)
    source.unlink()


@functools.cache
def _renameat2() -> Callable[[bytes, bytes], int] | None:
    """Return a call of the C library that Python does not offer: it answers 0 or an error number."""
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

    def rename(source: bytes, target: bytes) -> int:
        done = function(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE)
        return 0 if done == 0 else ctypes.get_errno()

    return rename
