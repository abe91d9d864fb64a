"""Space for answers is held before calls are made, and given to those in flight when the disk is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.disk.held_space import ANSWER_BYTES, HeldSpace
from activities.output.output_folder import OutputFolder
from workflows.errors import StorageFull

PART = ".part-000001"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with OutputFolder.open(tmp_path, "users-0123456789ab", create=True) as opened:
        yield opened


class SmallDisk:
    """A disk that lets files be `most_bytes` long and no longer."""

    def __init__(self, most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most_bytes = most_bytes
        self.asked_for: list[int] = []
        monkeypatch.setattr(os, "posix_fallocate", self._allocate)

    def _allocate(self, fd: int, offset: int, length: int) -> None:
        self.asked_for.append(offset + length)
        if offset + length > self.most_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(fd, offset + length)


def test_room_is_held_for_every_row_in_flight_and_free_again_when_its_answer_is_kept(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallDisk(262_144, monkeypatch)
    space = HeldSpace.open(folder, PART, {}, behind=0)
    most = 262_144 // (30_000 + ANSWER_BYTES)
    for row in range(most):
        space.expect(row, 30_000)
    with pytest.raises(StorageFull, match=PART):
        space.expect(most, 30_000)
    space.kept(0, 30_000, 30_100)
    space.expect(most, 30_000)
    space.close()


def test_no_room_leaves_no_name_in_the_folder(folder: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    SmallDisk(0, monkeypatch)
    before = folder.names()
    space = HeldSpace.open(folder, PART, {}, behind=0)
    with pytest.raises(StorageFull):
        space.expect(1, 10)
    assert folder.names() == before
    space.close()


def test_as_much_room_is_held_as_the_longest_answer_takes(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SmallDisk(10_000_000, monkeypatch)
    space = HeldSpace.open(folder, PART, {}, behind=0)
    space.expect(1, 10)
    space.kept(1, 10, 900_000)
    space.expect(2, 10)
    assert disk.asked_for[-1] >= 900_000
    space.close()


def test_an_answer_that_did_not_fit_is_room_that_the_next_attempt_asks_for(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallDisk(500_000, monkeypatch)
    missed: dict[str, int] = {}
    space = HeldSpace.open(folder, PART, missed, behind=0)
    space.expect(1, 10)
    space.give_up()
    space.miss(900_000)
    space.close()
    again = HeldSpace.open(folder, PART, missed, behind=0)
    with pytest.raises(StorageFull):
        again.expect(1, 10)
    again.close()
