"""Append-only files of lines that each prove themselves: `<crc32, 8 hex digits> TAB <payload> LF`.

A kill or a full disk may tear the last line, and a disk may flip a byte: such a line is no line, and what it held is
done again. Two processes may append at once, since each line goes out in one write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from zlib import crc32

_BLOCK_BYTES = 262_144
_CRC_CHARS = 8


def line(payload: bytes) -> bytes:
    """Return `payload`, which holds no line feed, as a line that proves itself."""
    return b"%08x\t%b\n" % (crc32(payload), payload)


def payload(raw: bytes) -> bytes | None:
    """Return what a line without its line feed holds; None where it does not prove itself."""
    found = raw[_CRC_CHARS + 1 :]
    return found if raw[: _CRC_CHARS + 1] == b"%08x\t" % crc32(found) else None


def payloads(fd: int) -> Iterator[tuple[int, bytes]]:
    """Yield offset in the file and payload of each sound line. Memory is bounded by the longest line."""
    offset, rest = 0, b""
    position = 0
    while block := os.pread(fd, _BLOCK_BYTES, position):
        position += len(block)
        *whole, rest = (rest + block).split(b"\n")
        for raw in whole:
            found = payload(raw)
            if found is not None:
                yield offset + _CRC_CHARS + 1, found
            offset += len(raw) + 1


def close_torn_line(fd: int) -> None:
    """Close a torn last line of a file opened for appending, so that the next line stands alone."""
    size_bytes = os.fstat(fd).st_size
    if size_bytes and os.pread(fd, 1, size_bytes - 1) != b"\n":
        os.write(fd, b"\n")
