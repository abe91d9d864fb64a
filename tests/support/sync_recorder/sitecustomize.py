"""Notes, in every program that has this folder first on `PYTHONPATH`, what it syncs and what it gives a name, in order.

A line of JSON to each call, in the file that `SYNC_RECORD` names: a kill of a process cannot show that a sync is
missing, since the kernel keeps what was written, and a power cut cannot be had here.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_write_all = os.write


def _note(call: str, **said: object) -> None:
    line = json.dumps({"call": call, **said}).encode() + b"\n"
    fd = os.open(os.environ["SYNC_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _write_all(fd, line)
    finally:
        os.close(fd)


def _path_of(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - a link that the kernel makes up


def _synced(real: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(real)
    def sync(file: Any) -> None:
        real(file)
        fd = file if isinstance(file, int) else file.fileno()
        found = os.fstat(fd)
        _note("sync", path=_path_of(fd), inode=found.st_ino, size_bytes=found.st_size)

    return sync


def _named(real: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(real)
    def name(src: Any, dst: Any, **where: Any) -> None:
        found = os.stat(src, dir_fd=where.get("src_dir_fd"), follow_symlinks=False)
        real(src, dst, **where)
        source, target = _whole(src, where.get("src_dir_fd")), _whole(dst, where.get("dst_dir_fd"))
        _note("name", path=target, before=source, inode=found.st_ino, size_bytes=found.st_size)

    return name


def _whole(path: Any, folder_fd: int | None) -> str:
    folder = Path(_path_of(folder_fd)) if folder_fd is not None else Path.cwd()
    return str(folder / os.fsdecode(path))


if "SYNC_RECORD" in os.environ:
    os.fsync, os.fdatasync = _synced(os.fsync), _synced(os.fdatasync)
    os.link, os.rename, os.replace = _named(os.link), _named(os.rename), _named(os.replace)
