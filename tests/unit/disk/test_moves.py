"""A file that is moved where its name is taken gets a number, and no other file is ever replaced."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from activities.disk.moves import MAX_NAME_BYTES, move_into, numbered_paths


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users.csv", ["users.csv", "users.1.csv", "users.2.csv"]),
        ("users", ["users", "users.1", "users.2"]),
        (".csv", [".csv", ".csv.1", ".csv.2"]),
        ("a.tar.gz", ["a.tar.gz", "a.tar.1.gz", "a.tar.2.gz"]),
    ],
)
def test_a_taken_name_is_numbered_before_its_ending(tmp_path: Path, name: str, expected: list[str]) -> None:
    assert [each.name for each in islice(numbered_paths(tmp_path, name), 3)] == expected


def test_a_numbered_name_is_never_too_long_for_a_file_system(tmp_path: Path) -> None:
    longest = "x" * (MAX_NAME_BYTES - 4) + ".csv"
    (tmp_path / longest).touch()
    numbered = next(islice(numbered_paths(tmp_path, longest), 1, None))
    numbered.touch()
    assert numbered.name.endswith("x.1.csv")
    assert len(numbered.name) == MAX_NAME_BYTES


def test_a_move_takes_the_next_free_number_and_replaces_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    moved = []
    for content in ("first", "second", "third"):
        source = tmp_path / "users.csv"
        source.write_text(content)
        moved.append(move_into(source, folder))
    assert [(each.name, each.read_text()) for each in moved] == [
        ("users.csv", "first"),
        ("users.1.csv", "second"),
        ("users.2.csv", "third"),
    ]


def test_a_second_name_of_the_file_that_is_there_already_just_goes(tmp_path: Path) -> None:
    folder, source = tmp_path / "kept", tmp_path / "users.csv"
    folder.mkdir()
    source.write_text("once")
    (folder / "users.csv").hardlink_to(source)
    assert move_into(source, folder) == folder / "users.csv"
    assert not source.exists()
    assert [each.name for each in folder.iterdir()] == ["users.csv"]
