"""A file is taken only when it is whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from intake_site import CSV, SETTLE_S, MakeSite, Site

from activities.disk.fingerprint import Fingerprint
from daemon.intake.observe.entries import Entry, entry_at
from daemon.intake.observe.writing import EMPTY_PATIENCE_S, Settling, writers_of

WRITER = "import sys; f = open(sys.argv[1], 'ab'); f.write(b'id\\n1\\n'); f.flush(); print('open', flush=True); input()"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


def writing_to(path: Path) -> subprocess.Popen[bytes]:
    """Start a process that writes a little and keeps the file open until it is told to end."""
    command = [sys.executable, "-c", WRITER, str(path)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout
    assert writer.stdout.readline() == b"open\n"
    return writer


def seen(**changed: int) -> Entry:
    facts = {"size_bytes": 10, "mtime_ns": 1, "inode": 7, "ctime_ns": 1, "device": 1} | changed
    return Entry(b"users.csv", "file", Fingerprint(**facts))


def test_a_file_has_settled_after_looking_the_same_for_the_settle_time() -> None:
    settling = Settling(2.0)
    assert settling.remaining_s(seen(), 100.0) == 2.0
    assert settling.remaining_s(seen(), 101.5) == 0.5
    assert settling.remaining_s(seen(), 102.0) == 0.0


@pytest.mark.parametrize("changed", ["size_bytes", "mtime_ns", "inode", "ctime_ns", "device"])
def test_any_change_of_its_looks_starts_the_quiet_time_anew(changed: str) -> None:
    settling = Settling(2.0)
    settling.remaining_s(seen(), 100.0)
    assert settling.remaining_s(seen(**{changed: 99}), 101.9) == 2.0
    assert settling.remaining_s(seen(**{changed: 99}), 103.8) == pytest.approx(0.1)


def test_times_of_the_file_system_are_never_held_against_now() -> None:
    for mtime_ns in (-(10**18), 0, 4 * 10**18):
        assert Settling(2.0).remaining_s(seen(mtime_ns=mtime_ns, ctime_ns=mtime_ns), 100.0) == 2.0


def test_an_empty_file_gets_longer_because_its_first_bytes_may_be_on_their_way() -> None:
    settling = Settling(0.1)
    assert settling.remaining_s(seen(size_bytes=0), 100.0) == EMPTY_PATIENCE_S
    assert settling.remaining_s(seen(size_bytes=10), 101.0) == pytest.approx(0.1)


def test_a_settle_time_of_zero_takes_a_file_at_the_first_look() -> None:
    assert Settling(0.0).remaining_s(seen(), 100.0) == 0.0


def test_a_file_that_is_gone_is_forgotten() -> None:
    settling = Settling(2.0)
    settling.remaining_s(seen(), 100.0)
    settling.keep_only(set())
    assert settling.remaining_s(seen(), 200.0) == 2.0


async def test_a_slow_writer_with_pauses_shorter_than_the_settle_time_is_never_cut_off(site: Site) -> None:
    path = site.drop("users.csv", b"id\n")
    for number in range(5):
        await site.scan(after_s=SETTLE_S * 0.9)
        with path.open("ab") as file:
            file.write(b"%d\n" % number)
    assert site.claimed() == []
    await site.settle()
    [claimed] = site.claimed()
    assert (site.inbox / ".processing" / claimed).read_bytes() == b"id\n0\n1\n2\n3\n4\n"


async def test_a_copy_that_sets_the_time_back_before_it_is_whole_is_not_taken_early(site: Site, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(CSV * 2)
    os.utime(original, (1_000_000_000, 1_000_000_000))
    path = site.drop("users.csv", CSV)
    shutil.copystat(original, path)
    await site.scan()
    path.write_bytes(CSV * 2)
    shutil.copystat(original, path)
    await site.scan(after_s=SETTLE_S * 1.5)
    assert site.claimed() == []
    await site.settle()
    assert site.all_receipts()[0].source.size_bytes == len(CSV) * 2


async def test_a_file_that_is_cut_and_written_again_to_the_same_length_starts_anew(site: Site) -> None:
    path = site.drop("users.csv", b"id\n1\n")
    await site.scan()
    path.write_bytes(b"id\n2\n")
    await site.scan(after_s=SETTLE_S)
    assert site.claimed() == []


async def test_a_file_replaced_by_rename_starts_anew(site: Site) -> None:
    site.drop("users.csv", b"id\n1\n")
    await site.scan()
    hidden = site.drop(".users.tmp", b"id\n2\n")
    hidden.rename(site.inbox / "users.csv")
    await site.scan(after_s=SETTLE_S)
    assert site.claimed() == []
    await site.scan(after_s=SETTLE_S)
    [receipt] = site.all_receipts()
    assert (site.inbox / ".processing" / receipt.id / "users.csv").read_bytes() == b"id\n2\n"


async def test_a_file_deleted_before_its_turn_is_no_error(site: Site) -> None:
    path = site.drop("users.csv")
    await site.scan()
    path.unlink()
    await site.scan(after_s=SETTLE_S)
    assert site.claimed() == []
    assert site.all_receipts() == []


async def test_a_writer_that_keeps_its_descriptor_open_is_waited_for(site: Site) -> None:
    path = site.inbox / "users.csv"
    with writing_to(path) as writer:
        entry = entry_at(path)
        assert entry
        [found] = writers_of([entry.fingerprint]).values()
        assert found.pid == writer.pid
        report = await site.settle()
        assert report.held == 1
        assert site.claimed() == []
        writer.communicate(b"\n")
    await site.settle()
    assert len(site.claimed()) == 1


def test_a_reader_is_no_writer(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(CSV)
    entry = entry_at(path)
    assert entry
    with path.open("rb"):
        assert writers_of([entry.fingerprint]) == {}


async def test_a_ready_marker_is_waited_for_where_one_is_asked_for(make_site: MakeSite) -> None:
    site = make_site(ready_marker="{name}.done")
    site.drop("users.csv")
    report = await site.settle()
    assert report.held == 1
    assert site.claimed() == []
    site.drop("users.csv.done", b"")
    await site.settle()
    [receipt] = site.all_receipts()
    assert site.claimed() == [f"{receipt.id}/users.csv", f"{receipt.id}/users.csv.done"]
    assert site.waiting() == []


@pytest.mark.parametrize(
    "marker",
    [
        b"size=16\nrows=2\n",
        b'{"bytes": 16, "records": "2"}',
        b"SHA256: e06a3a64b9a52db7c2ac71d0a7b0a1d5f4e0c2e1e7e5bd2a3c9a6a2a4f5d6e7f",
        b"e06a3a64b9a52db7c2ac71d0a7b0a1d5f4e0c2e1e7e5bd2a3c9a6a2a4f5d6e7f  users.csv\n",
        b"size=17\n",
        b"rows=3\n",
    ],
)
async def test_what_a_ready_marker_says_is_verified(make_site: MakeSite, marker: bytes) -> None:
    site = make_site(ready_marker="{name}.done")
    site.drop("users.csv")
    site.drop("users.csv.done", marker)
    await site.settle()
    kept = b"16" in marker
    assert (len(site.claimed()) == 2) is kept
    refused = list(site.inbox.glob("failed/*/REASON.txt"))
    assert bool(refused) is not kept
    assert site.waiting() == []
    if refused:
        assert "ready marker says" in refused[0].read_text()


@pytest.mark.parametrize(
    "marker", [b"[" * 4_096, b'{"size":' * 500, b'{"size": ' + b"[" * 900 + b"]" * 900 + b"}", '{"size": "²"}'.encode()]
)
async def test_a_ready_marker_of_nonsense_says_no_more_than_ready(make_site: MakeSite, marker: bytes) -> None:
    site = make_site(ready_marker="{name}.done")
    site.drop("users.csv")
    site.drop("users.csv.done", marker)
    await site.settle()
    assert len(site.claimed()) == 2


async def test_a_marker_of_an_odd_shape_is_never_taken_for_a_file(make_site: MakeSite) -> None:
    site = make_site(ready_marker="ready-{name}")
    site.drop("ready-users.csv", b"")
    await site.settle()
    assert site.waiting() == ["ready-users.csv"]
    assert not (site.inbox / "failed").exists()
