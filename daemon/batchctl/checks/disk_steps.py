"""What `doctor` proves of a folder: every step by which batchd makes a file last, with a small file of its own."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from daemon.batchctl.checks.findings import Finding, advice_on_writing, fail, warn

PROVEN = "files can be written, synced, linked and renamed"
NO_LINK = "has files that cannot be linked"
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a file system says that has no hard links."""


def disk_trouble(check: str, folder: Path) -> Finding | None:
    """Write, sync, link and rename a hidden file in a folder, and sync the folder; None where all of it works.

    What was made for it is removed again. Blocking.
    """
    name = folder / f".doctor-{secrets.token_hex(4)}.tmp"
    linked, moved = name.with_suffix(".link.tmp"), name.with_suffix(".moved.tmp")
    steps: list[tuple[str, Callable[[], object]]] = [
        ("cannot be written", lambda: _write(name)),
        (NO_LINK, lambda: linked.hardlink_to(name)),
        ("has files that cannot be renamed", lambda: name.rename(moved)),
        ("cannot be synced", lambda: _sync(folder)),
    ]
    has_links = True
    try:
        for trouble, step in steps:
            try:
                step()
            except OSError as error:
                if trouble != NO_LINK or error.errno not in NO_LINKS:
                    todo = advice_on_writing(error, "let this user write it")
                    return fail(check, f"{folder} {trouble}: {error.strerror}", todo)
                has_links = False
    finally:
        for each in (name, linked, moved):
            with contextlib.suppress(OSError):
                each.unlink()
    if has_links:
        return None
    return warn(check, f"{folder} has no hard links", "results are made under a lock instead; a local disk is safer")


def _write(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"x" * 4_096)
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
