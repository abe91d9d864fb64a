"""What is no file to be taken: never opened where that is dangerous, moved or left, always explained."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

import pytest
from intake_site import CSV, PATIENCE_S, Killed, MakeSite, events

from activities.disk.failpoints import watched

NAMES = [
    b"a b.csv",
    b"quote'\".csv",
    b"new\nline.csv",
    b"..csv",
    b"x.." + b".csv",
    b"-rf.csv",
    b"\x1b[31mred.csv",
    "émoji-😀.csv".encode(),
    b"\xff\xfe\x80.csv",
    b"UPPER.CSV",
    b"*.csv",
    b"$(touch x).csv",
    b"l" * 251 + b".csv",
    b"failed.csv",
]


async def test_every_name_that_linux_allows_is_taken_and_kept(make_site: MakeSite) -> None:
    site = make_site()
    wanted = [each for each in NAMES if not each.startswith(b".")]
    for number, name in enumerate(NAMES):
        site.drop(name, CSV + b"%d,x\n" % number)
    await site.settle()
    assert {os.fsencode(each.source.file) for each in site.all_receipts()} == set(wanted)
    for each in site.all_receipts():
        json.dumps(each.source.name, ensure_ascii=False).encode()
        site.end(each.id, "failed", reason="x")
        assert (site.inbox / "failed" / each.id / each.source.file).is_file()
    for number, name in enumerate(NAMES):
        site.drop(name, CSV + b"%d,x\n" % number)
    await site.settle()
    assert len(site.under("duplicates")) == 2 * len(wanted)


@pytest.mark.parametrize(
    "name", [".hidden.csv", "a.csv.part", "a.csv.PARTIAL", "a.csv.filepart", "a.csv.tmp", "a.csv.crdownload", "a.csv~"]
)
async def test_unfinished_and_hidden_names_are_passed_over_in_silence(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site(pattern="*")
    site.drop(name)
    await site.settle()
    assert site.waiting() == [name]
    assert caplog.records == []


async def test_what_is_no_file_is_never_opened_or_moved_and_told_of_once(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site()
    secret = tmp_path / "secret.csv"
    secret.write_bytes(CSV)
    (site.inbox / "link.csv").symlink_to(secret)
    (site.inbox / "loop.csv").symlink_to("loop.csv")
    (site.inbox / "folder.csv").mkdir()
    os.mkfifo(site.inbox / "fifo.csv")
    site.drop("notes.txt", b"hello")
    report = await site.settle(scans=4)
    assert report.left == 5
    there = sorted(each.name for each in site.inbox.iterdir())
    assert there == ["fifo.csv", "folder.csv", "link.csv", "loop.csv", "notes.txt"]
    left = {each["file"]: each["why"] for each in events(caplog, "file.left")}
    assert len(events(caplog, "file.left")) == 5
    assert "symbolic link" in left["link.csv"]
    assert "BATCH_PATTERN" in left["notes.txt"]


CONTENTS = {
    "gzip": b"\x1f\x8b\x08" + b"x" * 20,
    "xlsx": b"PK\x03\x04" + b"x" * 20,
    "html": b"\xef\xbb\xbf\n<!DOCTYPE html><html>",
    "jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "pdf": b"%PDF-1.7\n",
    "utf16": "id,name\n1,a\n".encode("utf-16-le"),
    "empty": b"",
    "quote left open in the header": b'id,"name\n1,a\n',
    "two readings": b"x,y;z\na,b;c\nd,e;f\n",
    "a million columns": b"," * 1_000_000 + b"\n" + b"," * 1_000_000,
}


@pytest.mark.parametrize("kind", CONTENTS)
async def test_what_is_no_csv_file_is_moved_away_with_its_reason(make_site: MakeSite, kind: str) -> None:
    site = make_site()
    site.drop("users.csv", CONTENTS[kind])
    site.drop("good.csv")
    await site.settle()
    [folder] = site.inbox.glob("failed/refused-users-*")
    assert sorted(each.name for each in folder.iterdir()) == ["REASON.json", "REASON.txt", "users.csv"]
    assert (folder / "users.csv").read_bytes() == CONTENTS[kind]
    reason = json.loads((folder / "REASON.json").read_text())
    assert reason["outcome"] == "refused"
    assert reason["what"]
    assert reason["mend"]
    assert [each.source.name for each in site.temporal.started.values()] == ["good.csv"]


async def test_a_header_that_cannot_be_used_is_one_line_in_the_log_with_what_to_do_in_its_reason(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site(required_columns="email")
    site.drop("users.csv", CSV)
    await site.settle()
    [reported] = caplog.records
    assert (reported.getMessage(), reported.exc_info) == ("file.refused", None)
    reason = json.loads(next(site.inbox.glob("failed/refused-users-*/REASON.json")).read_text())
    assert reason["what"] == "the header lacks the required column(s) email"
    assert reason["mend"] == "Add them, or change BATCH_REQUIRED_COLUMNS (required_columns of its feed)."


async def test_a_file_over_the_size_limit_is_refused_without_being_read(make_site: MakeSite) -> None:
    site = make_site(max_file_bytes=10)
    site.drop("users.csv")
    with watched(lambda name: (_ for _ in ()).throw(Killed) if name == "identify.open" else None):
        await site.settle()
    assert "BATCH_MAX_FILE_BYTES" in next(site.inbox.glob("failed/refused-users-*/REASON.txt")).read_text()


async def test_a_refused_file_that_is_put_back_unchanged_is_refused_again(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv", CONTENTS["pdf"])
    await site.settle()
    [refused] = site.inbox.glob("failed/refused-users-*/users.csv")
    for _ in range(2):
        shutil.move(refused, site.inbox / "users.csv")
        await site.settle()
    assert refused.is_file()
    assert site.waiting() == []


async def test_a_file_that_may_not_be_read_is_left_until_it_may_be(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site()
    path = site.drop("users.csv")

    def forbid(name: str) -> None:
        if name == "identify.open":
            raise PermissionError(13, "Permission denied")

    with watched(forbid):
        await site.settle()
        report = await site.scan(after_s=PATIENCE_S)
    assert report.left == 1
    assert site.waiting() == ["users.csv"]
    assert len(events(caplog, "file.left")) == 1
    path.chmod(0o644)
    path.chmod(0o600)
    await site.settle()
    assert len(site.claimed()) == 1


@pytest.mark.parametrize("name", ["duplicates", "failed", "archive", ".processing"])
async def test_what_stands_in_the_place_of_a_folder_of_batchd_s_is_told_of_and_waited_for(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    site = make_site()
    (site.inbox / name).write_text("notes")
    for file, content in (("users.csv", CSV), ("bad.csv", CONTENTS["pdf"])):
        site.drop(file, content)
    await site.settle()
    site.drop("users.csv")
    await site.settle()
    [blocked] = events(caplog, "inbox.blocked")
    assert blocked["path"] == str(site.inbox / name)
    assert (site.inbox / name).read_text() == "notes"
    (site.inbox / name).unlink()
    for _ in range(2):
        await site.settle(scans=3)
        site.drop("users.csv")
    await site.settle(scans=3)
    assert len(site.temporal.started) == 1
    assert site.waiting() == []
    assert "users.csv" in site.under("duplicates")
    assert len(site.under("failed")) == 3
    assert len(events(caplog, "inbox.blocked")) == 1


async def test_what_cells_say_of_a_doubtful_file_is_in_its_reason_and_not_in_the_log(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make_site()
    site.drop("titled.csv", b"Salaries of March\nname,amount\nAda,10\nGrace,20\n")
    await site.settle()
    [reason] = [each for each in site.under("failed") if each.endswith("REASON.txt")]
    assert "Salaries of March" in (site.inbox / "failed" / reason).read_text()
    [refused] = events(caplog, "file.refused")
    assert "its first line has one field, as a title has" in refused["why"]
    assert "Salaries" not in str(refused)
    assert "amount" not in str(refused)
