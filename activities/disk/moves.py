"""Moving a file so that it is never lost, never doubled, and never takes the place of another.

A move is one rename that refuses a taken name. Where the target is on another file system, the file is copied whole
under a hidden name first, so a half copy is never seen under a real one.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from activities.disk.atomic_files import sync_folder, temporary_beside
from activities.disk.failpoints import failpoint

MAX_NAME_BYTES = 255
_MAX_SUFFIX_BYTES = 40

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def rename_where_free(source: Path, target: Path) -> None:
    """Rename within one file system.

    Raises:
        FileExistsError: something stands at `target`; nothing was moved.
        FileNotFoundError: `source`, or the folder of `target`, is not there.
    """
    failpoint("move.before")
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


def move_into(source: Path, folder: Path) -> Path:
    """Move a file into `folder` under its name, or the next number of it that is free, and return where it is now.

    Blocking; where the taken name is the same file already, the other name of it goes.

    Raises:
        FileNotFoundError: `source`, or `folder`, is not there.
    """
    for target in numbered_paths(folder, source.name):
        try:
            move_where_free(source, target)
        except FileExistsError:
            if not _is_same_file(source, target):
                continue
            source.unlink()
        return target
    raise AssertionError


def numbered_paths(folder: Path, name: str) -> Iterator[Path]:
    """Yield `users.csv`, `users.1.csv`, `users.2.csv`, ... in `folder`, cut where one is too long for a file system."""
    yield folder / name
    whole = os.fsencode(name)
    stem, dot, suffix = whole.rpartition(b".")
    if not stem:
        stem, dot, suffix = whole, b"", b""
    for number in count(1):
        ending = b".%d%b%b" % (number, dot, suffix[:_MAX_SUFFIX_BYTES])
        yield folder / os.fsdecode(stem[: MAX_NAME_BYTES - len(ending)] + ending)


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _copy_and_remove(source: Path, target: Path) -> None:
    with temporary_beside(target) as temporary:
        with source.open("rb") as reading, temporary.open("xb") as writing:
            shutil.copyfileobj(reading, writing, 1_048_576)
            writing.flush()
            os.fsync(writing.fileno())
        shutil.copystat(source, temporary)
        rename_where_free(temporary, target)
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
