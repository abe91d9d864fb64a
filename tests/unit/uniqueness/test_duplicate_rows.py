"""What says which rows repeat a key appears whole or not at all, and is read by the range of a page."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.output.names import DUPLICATES
from activities.output.output_folder import OutputFolder
from activities.uniqueness.duplicate_rows import duplicates_in, has_duplicates_file, write_duplicates
from workflows.errors import StorageFull

BATCH = "users-0123456789ab"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with OutputFolder.open(tmp_path, BATCH, create=True) as opened:
        yield opened


def test_each_page_reads_its_own_records_and_the_least_key_of_each_counts(folder: OutputFolder) -> None:
    assert write_duplicates(folder, 1_000, [(7, 2), (7, 1), (999, 0), (1_000, 3), (7, 5)]) == 3
    assert duplicates_in(folder, 1, 500) == {7: 1}
    assert duplicates_in(folder, 501, 500) == {999: 0, 1_000: 3}
    assert duplicates_in(folder, 8, 100) == {}


def test_a_source_without_records_has_a_whole_file_too(folder: OutputFolder) -> None:
    assert write_duplicates(folder, 0, []) == 0
    assert has_duplicates_file(folder)


def test_nothing_is_there_before_all_of_it_is_known(folder: OutputFolder) -> None:
    def broken() -> Iterator[tuple[int, int]]:
        yield 3, 0
        assert not has_duplicates_file(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageFull):
        write_duplicates(folder, 10, broken())
    assert sorted(folder.names()) == [".batchd"]


@pytest.mark.parametrize(
    "content", [b"", b"batchd.1", b"batchd.1" + bytes(7) + b"\x02" + bytes(3), b"other..1" + bytes(8)]
)
def test_a_file_that_was_cut_or_is_another_is_none(folder: OutputFolder, content: bytes) -> None:
    (folder.path / DUPLICATES).write_bytes(content)
    assert not has_duplicates_file(folder)


def test_a_million_records_without_a_repeat_take_next_to_no_room(folder: OutputFolder) -> None:
    write_duplicates(folder, 1_000_000, [])
    assert (folder.path / DUPLICATES).stat().st_blocks * 512 <= 65_536
