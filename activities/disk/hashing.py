"""The digest of a file as it is read, written or copied: sha256, in memory for one block."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from activities.disk.failpoints import cut, failpoint

BLOCK_BYTES = 1_048_576
_WRITE_BYTES = 262_144


class Stored(NamedTuple):
    """A file as it is on disk. `same`: it is what the caller offered to write; `made`: and this call has made it."""

    size_bytes: int
    sha256: str
    same: bool = True
    made: bool = False


class HashedBlocks:
    """Blocks or lines of a file, hashed and counted as they pass through."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self._digest.update(block)
            self.size_bytes += len(block)
            yield block

    def sha256(self) -> str:
        """Return the hex digest of the whole, reading what is left."""
        for _ in self:
            pass
        return self._digest.hexdigest()

    def are(self, *, size_bytes: int, sha256: str) -> bool:
        """True if the whole, read to its end, is of this size and digest."""
        return (self.sha256(), self.size_bytes) == (sha256, size_bytes)


def blocks_of(file: BinaryIO, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield what is left of an open file, block by block."""
    while block := file.read(block_bytes):
        yield block


def copy_hashed(reading: BinaryIO, writing: BinaryIO) -> str:
    """Copy what is left of one open file to another, durably, and return its sha256."""
    hashed = HashedBlocks(blocks_of(reading))
    writing.writelines(hashed)
    writing.flush()
    os.fsync(writing.fileno())
    return hashed.sha256()


def write_hashed(fd: int, blocks: Iterable[bytes]) -> Stored:
    """Write all blocks and return what was written; it is not yet durable."""
    hashed = HashedBlocks(_gathered(blocks))
    for block in hashed:
        view = memoryview(block)
        while view:
            view = view[os.write(fd, cut("file.write", view)) :]
    failpoint("file.write.after")
    return Stored(hashed.size_bytes, hashed.sha256())


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield small blocks as few large ones."""
    pending = bytearray()
    for block in blocks:
        pending += block
        if len(pending) >= _WRITE_BYTES:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)
