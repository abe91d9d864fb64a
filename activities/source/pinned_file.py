"""A claimed file as bytes: opened safely, pinned to what was identified, read by offset.

A reader holds the file against its pin before it believes a byte and again after: nothing is ever made of two states
of one file.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Self

from activities.disk.fingerprint import Fingerprint, Pin
from activities.disk.hashing import BLOCK_BYTES, HashedBlocks
from activities.source.inbox import can_be_seen, why_missing
from workflows.errors import SourceChanged, SourceUnreadable
from workflows.ids import displayed, printable
from workflows.models import Source

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNREADABLE = frozenset({errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENODEV})


class PinnedFile:
    """One open regular file; made by `open`, ended by `close`."""

    def __init__(self, descriptor: int, path: bytes, pin: Pin) -> None:
        self._descriptor = descriptor
        self._path = path
        self._pin = pin
        self.name = _printable(path)

    @classmethod
    def open(cls, path: str | bytes | Path, pinned: Source | None = None) -> Self:
        """Open the regular file at `path`, following no link, held against `pinned` or else against itself.

        Raises:
            SourceVanished: its folder is there, and the file is not in it.
            InboxMissing: its folder is not there, or may not be entered.
            SourceUnreadable: it is no regular file, or may not be read.
        """
        where = os.fsencode(path)
        descriptor = _opened(where)
        now = Fingerprint.of(os.fstat(descriptor)).pin
        return cls(descriptor, where, Pin(pinned.size_bytes, pinned.mtime_ns, pinned.inode) if pinned else now)

    @classmethod
    def of(cls, descriptor: int, path: str | bytes | Path) -> Self:
        """Read an open file as it is now; whoever opened it closes it."""
        return cls(descriptor, os.fsencode(path), Fingerprint.of(os.fstat(descriptor)).pin)

    def close(self) -> None:
        """Close the file; twice is as good as once."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def size_bytes(self) -> int:
        """The pinned size; nothing behind it is read."""
        return self._pin.size_bytes

    def read_at(self, offset: int, count_bytes: int) -> bytes:
        """Return the bytes asked for, cut at the pinned size.

        Raises:
            SourceChanged: the file has become shorter.
        """
        wanted = max(0, min(count_bytes, self.size_bytes - offset))
        parts: list[bytes] = []
        while wanted:
            part = os.pread(self._descriptor, wanted, offset)
            if not part:
                raise SourceChanged(f"{self.name}: the file was cut to {offset} bytes or less; drop it again")
            parts.append(part)
            offset, wanted = offset + len(part), wanted - len(part)
        return b"".join(parts)

    def sha256(self) -> str:
        """Return the hex digest of the whole file, read again.

        Raises:
            SourceChanged: the file changed while it was read.
        """
        offsets = range(0, self.size_bytes, BLOCK_BYTES)
        digest = HashedBlocks(self.read_at(offset, BLOCK_BYTES) for offset in offsets).sha256()
        self.check_unchanged()
        return digest

    def check_unchanged(self) -> None:
        """Hold the open file, and what its path leads to now, against the pin.

        Raises:
            SourceChanged: size, time of change or inode differ, or another file stands at the path.
            SourceVanished: its folder is there, and no file stands at the path.
            InboxMissing: its folder is not there, or may not be entered.
        """
        held = os.fstat(self._descriptor)
        if Fingerprint.of(held).pin != self._pin:
            what = _difference(self._pin, Fingerprint.of(held).pin)
            raise SourceChanged(f"{self.name}: the file changed after it was taken ({what}); drop it again")
        try:
            standing = os.lstat(self._path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise why_missing(self._path) from None
        if not os.path.samestat(standing, held):
            raise SourceChanged(f"{self.name}: another file has taken its place; drop it again")


def _opened(path: bytes) -> int:
    """Open for reading; the check before keeps a FIFO or a device from being opened at all."""
    try:
        _check_regular(os.lstat(path), path)
        descriptor = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise why_missing(path) from None
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        if not can_be_seen(path):
            raise why_missing(path) from error
        raise SourceUnreadable(f"{_printable(path)}: {error.strerror}; let the service read it") from error
    try:
        _check_regular(os.fstat(descriptor), path)
    except SourceUnreadable:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result, path: bytes) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SourceUnreadable(f"{_printable(path)}: not a regular file; drop a copy of the file itself")


def _printable(path: bytes) -> str:
    return printable(displayed(path.rpartition(b"/")[2]))


def _difference(pinned: Pin, now: Pin) -> str:
    if pinned.inode != now.inode:
        return "it is another file"
    if pinned.size_bytes != now.size_bytes:
        return f"{now.size_bytes} bytes, it had {pinned.size_bytes}"
    return "it was written to"
