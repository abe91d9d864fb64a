"""Keys that repeat an earlier one are found exactly, whatever is in memory and whatever is on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.uniqueness.key_spill import KeySpill


@pytest.fixture(scope="module")
def fd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path = tmp_path_factory.mktemp("spill") / "keys"
    opened = os.open(path, os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def repeats(fd: int, keys: list[bytes], **limits: int) -> list[int]:
    os.ftruncate(fd, 0)
    spill = KeySpill(fd, **limits)
    for mark, key in enumerate(keys):
        spill.add(key, mark)
    return sorted(spill.repeats())


def expected(keys: list[bytes]) -> list[int]:
    return [mark for mark, key in enumerate(keys) if key in keys[:mark]]


@given(
    keys=st.lists(st.sampled_from([b"", b"a", b"b", b"ab", *(b"%d" % each for each in range(40))]), max_size=120),
    block_bytes=st.integers(24, 200),
    most_keys=st.integers(1, 5),
)
def test_every_mark_but_the_first_of_each_key_is_found(
    fd: int, keys: list[bytes], block_bytes: int, most_keys: int
) -> None:
    assert repeats(fd, keys, block_bytes=block_bytes, most_keys=most_keys) == expected(keys)


def test_the_least_mark_of_a_key_is_its_own_in_whatever_order_marks_come(fd: int) -> None:
    os.ftruncate(fd, 0)
    spill = KeySpill(fd)
    for mark in (5, 3, 9, 1, 7):
        spill.add(b"one", mark)
    assert sorted(spill.repeats()) == [3, 5, 7, 9]


def test_a_small_source_is_not_written_to_disk(fd: int) -> None:
    assert repeats(fd, [b"%d" % (each % 900) for each in range(1_000)]) == list(range(900, 1_000))
    assert os.fstat(fd).st_size == 0


def test_a_large_source_is_written_to_disk_and_found_in_shares_of_what_may_be_held(fd: int) -> None:
    keys = [b"%d" % Random(at).randrange(20_000) for at in range(40_000)]
    first: dict[bytes, int] = {}
    wanted = [at for at, key in enumerate(keys) if first.setdefault(key, at) != at]
    assert repeats(fd, keys, block_bytes=240, most_keys=16) == wanted
    assert os.fstat(fd).st_size > 500_000


def test_the_largest_mark_is_kept(tmp_path: Path) -> None:
    opened = os.open(tmp_path / "keys", os.O_RDWR | os.O_CREAT)
    try:
        spill = KeySpill(opened)
        spill.add(b"one", 1)
        spill.add(b"one", 2**64 - 1)
        assert list(spill.repeats()) == [2**64 - 1]
    finally:
        os.close(opened)
