"""A folder says for whom what is made in it is: for this user alone, or for its group too."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.disk.atomic_files import write_whole
from activities.output.output_folder import OutputFolder
from activities.source.inbox import make_in


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The umask of the service, which leaves the rights of a group to batchd."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def folder(path: Path, wanted: int) -> Path:
    path.mkdir()
    path.chmod(wanted)
    return path


@pytest.mark.parametrize(
    ("root", "of_folder", "of_file"),
    [
        (0o700, 0o700, 0o600),
        (0o2750, 0o2750, 0o640),
        (0o2700, 0o2700, 0o600),
        (0o755, 0o700, 0o600),
        (0o1777, 0o700, 0o600),
    ],
)
def test_results_are_for_the_group_that_the_output_root_hands_on(
    tmp_path: Path, root: int, of_folder: int, of_file: int
) -> None:
    with OutputFolder.open(folder(tmp_path / "out", root), "users-0123456789ab", create=True) as output:
        output.write_once("chunk-000001.json", [b"[]"])
        os.close(output.appending("journal") or 0)
        made = {name: mode(output.path / name) for name in output.names()}
    assert mode(output.path) == of_folder
    assert set(made.values()) == {of_file}, made
    with OutputFolder.open(tmp_path / "out", "users-0123456789ab", create=False):
        pass  # and it is taken as ours again


def test_senders_of_a_group_may_read_why_a_file_failed_and_nothing_of_others(tmp_path: Path) -> None:
    inbox = folder(tmp_path / "inbox", 0o3770)
    failed = make_in(inbox, "failed", "users-0123456789ab")
    write_whole(failed / "REASON.txt", b"because")
    assert [mode(inbox / "failed"), mode(failed), mode(failed / "REASON.txt")] == [0o2750, 0o2750, 0o640]
    for name in ("archive", ".processing"):
        assert mode(make_in(inbox, name)) & 0o077 == 0
        assert mode(make_in(inbox, name, "users-0123456789ab")) & 0o077 == 0


def test_in_an_inbox_of_one_user_nothing_is_for_others(tmp_path: Path) -> None:
    failed = make_in(folder(tmp_path / "inbox", 0o755), "failed", "users-0123456789ab")
    write_whole(failed / "REASON.txt", b"because")
    assert [mode(failed), mode(failed / "REASON.txt")] == [0o700, 0o600]
