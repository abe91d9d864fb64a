"""Which rows of a batch repeat a key, on disk for as long as it is worked: a number of two bytes for each record.

Pages read the numbers of their own records. The file is sparse: where nothing is repeated it takes next to no room.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from activities.disk.directory import Directory
from activities.disk.errors import disk_errors
from activities.output.names import DUPLICATES

_MARK = b"batchd.1"
_HEADER = struct.Struct(">8sQ")
_NUMBER = struct.Struct(">H")


def write_duplicates(folder: Directory, records: int, repeats: Iterable[tuple[int, int]]) -> int:
    """Make the file that says which of `records` records repeat which key, and return how many do. Idempotent.

    `repeats` has the number of a record, from 1, and that of its key, from 0, in any order; the least key counts.

    Raises:
        StorageFull: there is no room; nothing half written stays.
    """
    found = 0
    with folder.being_made(DUPLICATES) as fd, disk_errors(f"writing {folder.path / DUPLICATES}"):
        os.ftruncate(fd, _size_bytes(records))
        os.pwrite(fd, _HEADER.pack(_MARK, records), 0)
        for record, key in repeats:
            at = _place(record)
            (before,) = _NUMBER.unpack(os.pread(fd, _NUMBER.size, at))
            if not before or key + 1 < before:
                os.pwrite(fd, _NUMBER.pack(key + 1), at)
            found += not before
    return found


def has_duplicates_file(folder: Directory) -> bool:
    """Return whether the file is there and whole."""
    file = folder.reading(DUPLICATES)
    if file is None:
        return False
    with file, disk_errors(f"reading {folder.path / DUPLICATES}"):
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return False
        mark, records = _HEADER.unpack(header)
        return bool(mark == _MARK and os.fstat(file.fileno()).st_size == _size_bytes(records))


def duplicates_in(folder: Directory, first_row: int, records: int) -> dict[int, int]:
    """Return those of `records` records from `first_row` on that repeat a key, each with the number of the key."""
    file = folder.reading(DUPLICATES)
    if file is None:
        return {}
    with file, disk_errors(f"reading {folder.path / DUPLICATES}"):
        numbers = os.pread(file.fileno(), records * _NUMBER.size, _place(first_row))
    if not any(numbers):
        return {}
    return {first_row + at: key - 1 for at, (key,) in enumerate(_NUMBER.iter_unpack(numbers)) if key}


def _place(record: int) -> int:
    return _HEADER.size + (record - 1) * _NUMBER.size


def _size_bytes(records: int) -> int:
    return _HEADER.size + records * _NUMBER.size
