from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from activities.disk.failpoints import armed, watched
from activities.disk.hashing import Stored
from activities.output.output_folder import OutputFolder
from workflows.errors import InvalidBatchId, OutputRefused, StorageFull, TransientError

ID = "users-0123456789ab"
NAME = f"batch-{ID}"


def opened(root: Path, *, create: bool = True) -> OutputFolder:
    return OutputFolder.open(root, ID, create=create)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_folder_is_private_and_its_files_are_too_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path) as folder:
            folder.write_once("chunk-000001.json", [b"[]\n"])
            os.close(folder.appending(".journal") or 0)
    finally:
        os.umask(before)
    assert mode(tmp_path / NAME) == 0o700
    assert {mode(each) for each in (tmp_path / NAME).iterdir()} == {0o600}


def test_opening_again_finds_the_same_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        assert os.fstat(first.fd).st_ino == os.fstat(second.fd).st_ino


def test_a_folder_that_is_not_to_be_made_and_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match="is gone"):
        opened(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_only_a_batch_id_becomes_a_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidBatchId):
        OutputFolder.open(tmp_path, "../../etc", create=True)


def test_a_missing_output_root_is_waited_for_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="BATCH_OUTPUT_ROOT"):
        opened(tmp_path / "unmounted")
    assert not (tmp_path / "unmounted").exists()


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "file", "fifo"])
def test_something_planted_under_the_name_of_the_folder_is_refused(tmp_path: Path, kind: str) -> None:
    planted = tmp_path / NAME
    (tmp_path / "elsewhere").mkdir()
    if kind == "symlink":
        planted.symlink_to("elsewhere")
    elif kind == "dangling symlink":
        planted.symlink_to("nowhere")
    elif kind == "file":
        planted.touch()
    else:
        os.mkfifo(planted)
    with pytest.raises(OutputRefused):
        opened(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).mkdir(0o700)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(OutputRefused, match="belongs to user"):
        opened(tmp_path)


@pytest.mark.parametrize("open_to_others", [0o777, 0o770, 0o755])
def test_a_folder_that_others_could_have_filled_is_refused(tmp_path: Path, open_to_others: int) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME).chmod(open_to_others)
    with pytest.raises(OutputRefused, match="others"):
        opened(tmp_path)


def test_a_folder_with_foreign_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir(0o700)
    (tmp_path / NAME / "thesis.doc").touch()
    with pytest.raises(OutputRefused, match=r"thesis\.doc"):
        opened(tmp_path)
    assert [each.name for each in (tmp_path / NAME).iterdir()] == ["thesis.doc"]


def test_the_folder_of_another_batch_is_refused(tmp_path: Path) -> None:
    OutputFolder.open(tmp_path, "other-0123456789ab", create=True).close()
    (tmp_path / "batch-other-0123456789ab").rename(tmp_path / NAME)
    with pytest.raises(OutputRefused, match="other-0123456789ab"):
        opened(tmp_path)


@pytest.mark.parametrize("leftover", ["", ".batchd", ".tmp-1-abcd"])
def test_a_folder_whose_maker_was_killed_before_it_left_its_mark_is_adopted(tmp_path: Path, leftover: str) -> None:
    (tmp_path / NAME).mkdir(0o700)
    if leftover:
        (tmp_path / NAME / leftover).touch()
    with opened(tmp_path) as folder:
        assert folder.read(".batchd") == f"{ID}\n".encode()


def test_a_folder_that_is_being_deleted_is_taken_again_whatever_of_ours_is_still_there(tmp_path: Path) -> None:
    opened(tmp_path).close()
    for name in (".journal", "chunk-000001.json", "rejected-000001.json", "manifest.sha256"):
        (tmp_path / NAME / name).touch()
    (tmp_path / NAME / ".batchd").unlink()
    with opened(tmp_path) as folder:
        assert folder.read(".batchd") == f"{ID}\n".encode()


def test_a_folder_that_is_deleted_between_its_making_and_its_opening_is_a_transient_fault(tmp_path: Path) -> None:
    def delete(name: str) -> None:
        if name == "folder.make.after":
            (tmp_path / NAME).rmdir()

    with watched(delete), pytest.raises(TransientError, match="deleted"):
        opened(tmp_path)


def test_a_result_that_its_owner_let_others_read_is_still_ours(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / NAME).chmod(0o750)
    opened(tmp_path).close()
    assert mode(tmp_path / NAME) == 0o750


def test_a_file_appears_whole_with_its_digest_and_no_temporary_file_stays(tmp_path: Path) -> None:
    blocks = [b"a" * 300_000, b"", b"b" * 5]
    with opened(tmp_path) as folder:
        stored = folder.write_once("chunk-000001.json", iter(blocks))
        assert stored == Stored(300_005, hashlib.sha256(b"".join(blocks)).hexdigest(), same=True, made=True)
        assert folder.stored("chunk-000001.json") == stored._replace(made=False)
        assert folder.names() == [".batchd", "chunk-000001.json"]


def test_the_first_writer_wins_and_the_second_learns_what_is_there(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        first = folder.write_once("chunk-000001.json", [b"first"])
        assert folder.write_once("chunk-000001.json", [b"fir", b"st"]) == first._replace(made=False)
        assert folder.write_once("chunk-000001.json", [b"second"]) == first._replace(same=False, made=False)
        assert folder.read("chunk-000001.json") == b"first"


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_at_once_exactly_one_wins_and_all_agree(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    report: list[Stored] = []

    def write(number: int) -> None:
        with opened(tmp_path) as folder:
            report.append(folder.write_once("manifest.sha256", [b"%d" % number] * 1_000))

    opened(tmp_path).close()
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(report) == 8
    assert len({each.sha256 for each in report}) == 1
    assert sum(each.same for each in report) == 1
    assert sorted(each.name for each in (tmp_path / NAME).iterdir()) == [".batchd", "manifest.sha256"]


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "a file system without hard links")


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_something_planted_under_the_name_of_a_file_is_neither_followed_nor_waited_for(
    tmp_path: Path, kind: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    with opened(tmp_path) as folder:
        planted = tmp_path / NAME / "chunk-000001.json"
        if kind == "symlink":
            planted.symlink_to(outside)
        elif kind == "fifo":
            os.mkfifo(planted)
        else:
            planted.mkdir()
        assert folder.reading("chunk-000001.json") is None
        assert folder.stored("chunk-000001.json") is None
        with pytest.raises(OutputRefused, match="not a plain file"):
            folder.write_once("chunk-000001.json", [b"x"])
        with pytest.raises(OutputRefused, match="not a plain file"):
            folder.appending("chunk-000001.json")
    assert outside.read_text() == "untouched"


def test_a_folder_deleted_while_it_is_open_is_a_transient_fault(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        (tmp_path / NAME / ".batchd").unlink()
        (tmp_path / NAME).rmdir()
        with pytest.raises(TransientError):
            folder.write_once("chunk-000001.json", [b"x"])
        with pytest.raises(TransientError, match="deleted"):
            folder.appending(".journal")


FILL = """
import resource, signal, sys
from pathlib import Path
from activities.output.row_log import DurableRow, RowLog
from activities.output.output_folder import OutputFolder
from workflows.errors import StorageFull
root = Path(sys.argv[1])
with OutputFolder.open(root, "users-0123456789ab", create=True) as folder:
    part = RowLog.open(folder, 1)
    part.append([DurableRow(1, "E", "", ("200",), 1.0, b"{}")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 8_000))
    try:
        folder.write_once("chunk-000001.json", [b"x" * 100_000])
    except StorageFull as full:
        print("chunk", full)
    try:
        part.append([DurableRow(2, "E", "", ("200",), 1.0, b"y" * 5_000)])
    except StorageFull as full:
        print("part", full)
    print(sorted(part.done), folder.names())
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))
    part.append([DurableRow(3, "E", "", ("200",), 1.0, b"{}")])
    print([row.row for row in part], sorted(RowLog.open(folder, 1).done))
"""


def test_a_full_disk_leaves_nothing_half_written_and_the_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    chunk, part, durable, after = done.stdout.splitlines()
    assert "chunk-000001.json: File too large; the batch goes on by itself once there is room" in chunk
    assert part.startswith("part")
    assert durable == "[1] ['.batchd', '.part-000001']"
    assert after == "[1, 3] [1, 3]"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE])
def test_whatever_is_used_up_is_told_as_full_storage(tmp_path: Path, number: int) -> None:
    name = errno.errorcode[number]
    with opened(tmp_path) as folder:
        hook = armed(f"file.sync.before:1:error:{name}")
        assert hook
        with watched(hook), pytest.raises(StorageFull, match=os.strerror(number)):
            folder.write_once("chunk-000001.json", [b"x"])
        assert folder.names() == [".batchd"]
        folder.write_once("chunk-000001.json", [b"x"])


NO_DESCRIPTORS = """
import os, resource, sys
from pathlib import Path
from activities.output.output_folder import OutputFolder
from workflows.errors import StorageFull
root = Path(sys.argv[1])
with OutputFolder.open(root, "users-0123456789ab", create=True) as folder:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_fd = os.dup(folder.fd)
    os.close(next_fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_fd, hard))
    for attempt in (
        lambda: folder.write_once("chunk-000001.json", [b"x"]),
        lambda: folder.appending(".journal"),
        lambda: folder.stored(".batchd"),
        lambda: OutputFolder.open(root, "users-0123456789ab", create=True),
    ):
        try:
            attempt()
        except StorageFull:
            print("full")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(folder.names(), folder.write_once("chunk-000001.json", [b"x"]).same)
"""


def test_out_of_descriptors_is_full_storage_and_passes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_DESCRIPTORS, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["full"] * 4 + ["['.batchd'] True"]


def test_another_fault_of_the_disk_is_transient_and_says_what_was_being_done(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        hook = armed("file.sync.before:1:error:EIO")
        assert hook
        with (
            watched(hook),
            pytest.raises(TransientError, match=r"writing .*chunk-000001.json: Input/output") as report,
        ):
            folder.write_once("chunk-000001.json", [b"x"])
    assert not isinstance(report.value, StorageFull)
