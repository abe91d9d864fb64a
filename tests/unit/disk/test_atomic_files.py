"""A small file is replaced whole, and what a failed writer began does not stay."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from activities.disk.atomic_files import replace_whole, temporary_beside, write_whole
from activities.disk.hashing import HashedBlocks, copy_hashed


def test_the_new_content_takes_the_place_of_the_old_and_nothing_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    write_whole(file, b"old")
    write_whole(file, b"new")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_a_writer_may_give_a_file_a_mode_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_whole(tmp_path / "server.json", b"{}", mode=0o666, synced=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o640


def test_what_a_failed_writer_began_does_not_stay(tmp_path: Path) -> None:
    with temporary_beside(tmp_path / "record.json") as temporary:
        temporary.write_bytes(b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_has_the_digest_of_what_was_read(tmp_path: Path) -> None:
    content = os.urandom(2_500_000)
    (tmp_path / "from").write_bytes(content)
    with (tmp_path / "from").open("rb") as reading, (tmp_path / "to").open("xb") as writing:
        digest = copy_hashed(reading, writing)
    assert (digest, (tmp_path / "to").read_bytes()) == (hashlib.sha256(content).hexdigest(), content)


def test_blocks_are_vouched_for_only_when_all_of_them_were_read() -> None:
    blocks = HashedBlocks([b"one\n", b"two\n"])
    assert next(iter(blocks)) == b"one\n"
    assert blocks.are(size_bytes=8, sha256=hashlib.sha256(b"one\ntwo\n").hexdigest())
    assert not blocks.are(size_bytes=9, sha256=hashlib.sha256(b"one\ntwo\n").hexdigest())
