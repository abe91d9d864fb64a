"""Disk space for answers that are on their way, held before the API is called for them.

An answer that the disk has no room for is lost, and its row would be called again, and again with every new attempt.
So the space is held by a file without a name beside the part file. Where the disk is full, that file gives its space to
the answers in flight; the next attempt cannot hold any, and calls nobody until there is room.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Self

from activities.disk.directory import Directory
from activities.disk.errors import disk_errors

ANSWER_BYTES = 1_024
"""What an answer is taken to add to a row until a longer one was seen."""

_STEP_BYTES = 65_536
"""Space is held in steps, so that holding it costs a page a few calls of the system, and a row none."""


class HeldSpace:
    """The space held for one page. Blocking, but for the microseconds of a step; `close` frees what is held.

    `missed` outlives it: the size, by part file, of an answer that did not fit although room was held. The next attempt
    at that page takes every answer to be as long.
    """

    def __init__(self, fd: int, name: str, missed: MutableMapping[str, int], *, behind: int) -> None:
        self._fd = fd
        self._name = name
        self._missed = missed
        self._behind = behind
        self._held = 0
        self._expected: dict[int, int] = {}
        self._expected_bytes = 0
        self._answer_bytes = max(ANSWER_BYTES, missed.get(name, 0))

    @classmethod
    def open(cls, folder: Directory, name: str, missed: MutableMapping[str, int], *, behind: int) -> Self:
        """Hold space for what is to be appended to the file `name`, which is `behind` bytes long now.

        Raises:
            StorageFull: there is none.
        """
        return cls(folder.nameless(), str(folder.path / name), missed, behind=behind)

    def expect(self, row: int, sent_bytes: int) -> None:
        """Hold space for the answer to a row of `sent_bytes`.

        Raises:
            StorageFull: there is none; what was held for others stays.
        """
        size_bytes = sent_bytes + self._answer_bytes
        self._hold(self._expected_bytes + size_bytes)
        self._expected[row] = size_bytes
        self._expected_bytes += size_bytes

    def kept(self, row: int, sent_bytes: int, kept_bytes: int) -> None:
        """Note that the answer of a row is on disk: its space is free for the next one."""
        self._expected_bytes -= self._expected.pop(row, 0)
        self._answer_bytes = max(self._answer_bytes, kept_bytes - sent_bytes)

    def give_up(self) -> None:
        """Give the space that is held to those who write now."""
        with disk_errors(f"making room for {self._name}"):
            os.ftruncate(self._fd, 0)
        self._held = 0

    def miss(self, size_bytes: int) -> None:
        """Note that an answer of this size found no room all the same."""
        self._missed[self._name] = max(size_bytes, self._missed.get(self._name, 0))

    def close(self) -> None:
        """Free what is held; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _hold(self, wanted_bytes: int) -> None:
        if wanted_bytes <= self._held:
            return
        wanted_bytes += -wanted_bytes % _STEP_BYTES
        with disk_errors(f"holding {wanted_bytes} bytes for {self._name}"):
            try:
                # As far into the file as the answers will reach into theirs: a limit on the size of a file is met too.
                os.posix_fallocate(self._fd, self._behind, wanted_bytes)
            except OSError:
                os.ftruncate(self._fd, self._behind + self._held)
                raise
        self._held = wanted_bytes
