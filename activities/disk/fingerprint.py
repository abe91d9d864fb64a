"""What shows that a file is another one than before, without reading it."""

from __future__ import annotations

import os
from typing import NamedTuple


class Pin(NamedTuple):
    """What must not change while a batch lives. A rename and a change of mode leave it as it is."""

    size_bytes: int
    mtime_ns: int
    inode: int


class Fingerprint(NamedTuple):
    """What shows that a file was written to or replaced. The time of change cannot be set back as that of `cp -p`."""

    size_bytes: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    device: int

    @classmethod
    def of(cls, status: os.stat_result) -> Fingerprint:
        """Take it from a `stat`."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, status.st_dev)

    @property
    def pin(self) -> Pin:
        """The part that is kept with a batch."""
        return Pin(self.size_bytes, self.mtime_ns, self.inode)

    def same_but_moved(self, other: Fingerprint) -> bool:
        """True if `other` is the same file, unwritten, under whatever name: a rename alone changes `ctime_ns`."""
        return self.pin == other.pin and self.device == other.device
