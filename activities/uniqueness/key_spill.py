"""Keys of many rows, compared in bounded memory: spilled to disk in partitions, which are resolved one by one.

A key is kept as a digest of 16 bytes (BLAKE2b), in the partition that its first byte says, with its mark. Two keys of
one digest are taken to be the same: among a billion keys the odds of that are below one in ten to the twentieth.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from hashlib import blake2b

from activities.disk.errors import disk_errors
from workflows.errors import StorageFull

PARTITIONS = 256
BLOCK_BYTES = 49_152
"""Each partition is written in blocks of this size: 12 MiB for all of them, and nothing on disk for a small file."""

MOST_KEYS_AT_ONCE = 262_144
"""As many different keys are held at once, 35 MiB; of a partition with more, a share at a time is compared."""

_DIGEST_BYTES = 16
_ENTRY = struct.Struct(f">{_DIGEST_BYTES}sQ")
_SHARES = 65_536


class KeySpill:
    """The keys of one source. `fd` is of an empty file without a name, in which they may be written; it stays open."""

    def __init__(self, fd: int, *, block_bytes: int = BLOCK_BYTES, most_keys: int = MOST_KEYS_AT_ONCE) -> None:
        self._fd = fd
        self._block_bytes = block_bytes - block_bytes % _ENTRY.size
        self._most_keys = most_keys
        self._waiting = [bytearray() for _ in range(PARTITIONS)]
        self._blocks: list[list[int]] = [[] for _ in range(PARTITIONS)]
        """Where the full blocks of each partition begin."""
        self._size_bytes = 0

    def add(self, key: bytes, mark: int) -> None:
        """Add a key; `mark` is at least 0 and below 2 ** 64.

        Raises:
            StorageFull: there is no room.
        """
        digest = blake2b(key, digest_size=_DIGEST_BYTES).digest()
        waiting = self._waiting[digest[0]]
        waiting += _ENTRY.pack(digest, mark)
        if len(waiting) >= self._block_bytes:
            self._write(digest[0])

    def repeats(self) -> Iterator[int]:
        """Yield, in no order, every mark of each key but the least; reads all that was added.

        Raises:
            TransientError: the disk fails.
        """
        for partition in range(PARTITIONS):
            yield from self._repeats_in(partition)

    def _write(self, partition: int) -> None:
        waiting = self._waiting[partition]
        with disk_errors("keeping the keys of rows"):
            if os.pwrite(self._fd, waiting, self._size_bytes) < len(waiting):
                raise StorageFull("keeping the keys of rows: the disk took a part of them")
        self._blocks[partition].append(self._size_bytes)
        self._size_bytes += len(waiting)
        waiting.clear()

    def _repeats_in(self, partition: int) -> Iterator[int]:
        entries = (len(self._blocks[partition]) * self._block_bytes + len(self._waiting[partition])) // _ENTRY.size
        shares = min(-(-entries // self._most_keys), _SHARES)
        for share in range(shares):
            least: dict[bytes, int] = {}
            for digest, mark in self._entries(partition):
                if shares > 1 and int.from_bytes(digest[1:3]) % shares != share:
                    continue
                first = least.setdefault(digest, mark)
                if mark > first:
                    yield mark
                elif mark < first:
                    least[digest] = mark
                    yield first

    def _entries(self, partition: int) -> Iterator[tuple[bytes, int]]:
        for start in self._blocks[partition]:
            with disk_errors("reading the keys of rows"):
                block = os.pread(self._fd, self._block_bytes, start)
            yield from _ENTRY.iter_unpack(block)
        yield from _ENTRY.iter_unpack(self._waiting[partition])
