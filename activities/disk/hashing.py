"""The digest of a file, streamed: sha256, in memory for one block."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

BLOCK_BYTES = 1_048_576


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
