"""A page is made of the file that was identified, or not at all; pages tile the file."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from csv_pages import pages_of, read_in_pages
from pinned_files import nobody, opened, pinned

from activities.source import source_file
from activities.source.source_file import Record, SourceFile
from workflows.errors import InvalidCsv, SourceChanged, SourceUnreadable, SourceVanished
from workflows.models import CsvOptions, Cursor, Page, PinnedDialect

ROWS = b"a,b\n" + b"".join(b"%d,x\n" % at for at in range(1, 11))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(ROWS)
    return path


def test_pages_hold_as_many_records_as_asked_for_and_the_cursor_goes_on_behind_them(file: Path) -> None:
    with opened(file) as source:
        first = source.find_pages(Cursor(), page_rows=4, max_pages=2)
        assert first.pages == [
            Page(number=1, source_start=4, source_end=20, first_row=1, records=4, line=2, no_bare_quotes=True),
            Page(number=2, source_start=20, source_end=36, first_row=5, records=4, line=6, no_bare_quotes=True),
        ]
        assert first.next == Cursor(offset=36, page=3, row=9, line=10)
        last = source.find_pages(first.next, page_rows=4, max_pages=2)
        assert [(page.number, page.first_row, page.records) for page in last.pages] == [(3, 9, 2)]
        assert last.next is None


def test_pages_found_one_by_one_and_all_at_once_are_the_same(file: Path) -> None:
    assert pages_of(file, 3) == pages_of(file, 3, at_once=1000)


def test_a_page_of_huge_records_ends_early(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_file, "MAX_PAGE_BYTES", 8)
    assert [page.records for page in pages_of(file, 1000)] == [2, 2, 2, 2, 2]
    assert len(read_in_pages(file, 1000)) == 10


def test_finding_one_page_reads_no_more_of_the_file_than_it_needs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"a,b\n" + b"1,2\n" * 1_000_000)
    read_bytes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, count: int, offset: int) -> bytes:
        read_bytes.append(count)
        return pread(descriptor, count, offset)

    with opened(file) as source:
        monkeypatch.setattr(os, "pread", counted)
        [page] = source.find_pages(Cursor(offset=2_000_000, page=9, row=499_999), page_rows=500, max_pages=1).pages
        assert sum(read_bytes) <= 65_536
        source.read_page(page)
        assert sum(read_bytes) <= 65_536 + 2_100


def test_a_pinned_dialect_is_taken_as_it_was_found_and_only_the_header_is_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"sep=;\na;b\n" + b"1;2\n" * 100_000 + b"\xe9;2\n")
    with opened(file) as source:
        found = source.dialect
        [page] = source.find_pages(Cursor(), page_rows=9, max_pages=1).pages
    read_bytes: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, offset: read_bytes.append(count) or pread(fd, count, offset))
    with opened(file, replace(pinned(file), dialect=found.pinned())) as source:
        assert source.dialect == found
        assert sum(read_bytes) < 100
        assert source.find_pages(Cursor(), page_rows=9, max_pages=1).pages == [page]
    assert (found.encoding, found.delimiter, found.header_start) == ("cp1252", ";", 6)


def test_a_file_claimed_before_dialects_were_pinned_is_read_as_it_was_then(file: Path) -> None:
    file.write_bytes(b"sep=;\na;b\n" + b"1;2\n" * 100_000 + b"\xe9;2\n")
    with opened(file, pinned(file)) as source:
        assert (source.dialect.columns, source.dialect.encoding) == (("sep=", "column_2"), "utf-8")
    lacking = CsvOptions(required_columns=("a",), max_columns=1)  # the one was asked for then, the other was not
    with pytest.raises(InvalidCsv, match="lacks the required"):
        SourceFile.open(file, lacking, pinned(file))


def test_a_dialect_that_was_pinned_before_the_rules_for_records_changed_keeps_to_its_own(file: Path) -> None:
    file.write_bytes(b'a,b\n1,"x""\n2,"y"\n3,z\n')
    with opened(file) as source:
        new = source.dialect.pinned()
    assert (new.record_rules, PinnedDialect(delimiter=",", encoding="utf-8").record_rules) == (2, 1)
    for rules, first_rows in ((2, [1, 2, 3]), (1, [1, 2])):
        with opened(file, replace(pinned(file), dialect=replace(new, record_rules=rules))) as source:
            pages = source.find_pages(Cursor(), page_rows=1, max_pages=9).pages
            assert [page.first_row for page in pages] == first_rows
            assert sum(len(source.read_page(page)) for page in pages) == len(pages)


def test_the_digest_is_that_of_the_whole_file(file: Path) -> None:
    with opened(file) as source:
        assert source.sha256() == hashlib.sha256(ROWS).hexdigest()


def test_a_path_may_be_bytes_of_any_kind(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"\xff\n rows.csv")  # noqa: PTH118 - bytes have no Path
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"a\n1\n")
    os.close(descriptor)
    with SourceFile.open(path, CsvOptions()) as source:
        assert source.dialect.columns == ("a",)
        os.truncate(path, 1)
        with pytest.raises(SourceChanged, match=r"^\\xff\\n rows\.csv: "):
            source.check_unchanged()


def test_a_missing_file_has_vanished(tmp_path: Path) -> None:
    with pytest.raises(SourceVanished):
        opened(tmp_path / "rows.csv")


def test_links_folders_fifos_sockets_and_devices_are_not_read(tmp_path: Path, file: Path) -> None:
    link, fifo, bound = tmp_path / "link", tmp_path / "fifo", tmp_path / "socket"
    link.symlink_to(file)
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bound))
        for path in (link, fifo, bound, tmp_path, Path("/dev/null")):
            with pytest.raises(SourceUnreadable, match="not a regular file"):
                opened(path)


def test_a_file_without_permission_is_unreadable() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "users.csv"
        file.write_text("id\n1\n")
        file.chmod(0)
        Path(folder).chmod(0o755)
        with nobody(), pytest.raises(SourceUnreadable, match="Permission denied"):
            opened(file)


@pytest.mark.parametrize("change", ["grown", "cut", "rewritten", "replaced", "gone"])
def test_a_file_that_is_not_the_one_identified_is_never_read(file: Path, change: str) -> None:
    pin = pinned(file)
    with opened(file, pin) as source:
        [page] = source.find_pages(Cursor(), page_rows=100, max_pages=1).pages
        _change(file, change)
        error = SourceVanished if change == "gone" else SourceChanged
        for use in (
            lambda: source.find_pages(Cursor(), page_rows=100, max_pages=1),
            lambda: source.read_page(page),
            source.sha256,
            source.check_unchanged,
            lambda: opened(file, pin),
        ):
            with pytest.raises(error, match=r"^rows\.csv: "):
                use()


def _change(file: Path, change: str) -> None:
    if change == "grown":
        with file.open("ab") as out:
            out.write(b"11,x\n")
    elif change == "cut":
        os.truncate(file, 20)
    elif change == "rewritten":
        file.write_bytes(ROWS.replace(b"x", b"y"))
        os.utime(file, ns=(1, 1))
    elif change == "replaced":
        other = file.with_name("other.csv")
        other.write_bytes(ROWS)
        other.replace(file)
    else:
        file.unlink()


def test_a_file_cut_below_the_page_while_it_is_read_is_no_short_page(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(file, pinned(file)) as source:
        [page] = source.find_pages(Cursor(), page_rows=100, max_pages=1).pages
        monkeypatch.setattr(source, "check_unchanged", lambda: None)
        os.truncate(file, 20)
        with pytest.raises(SourceChanged, match="cut to 20 bytes"):
            source.read_page(page)


def test_a_page_that_does_not_fit_the_file_is_refused(file: Path) -> None:
    with opened(file) as source:
        [page] = source.find_pages(Cursor(), page_rows=100, max_pages=1).pages
        for records, source_end in ((9, page.source_end), (11, page.source_end), (10, page.source_end - 1)):
            wrong = Page(number=1, source_start=4, source_end=source_end, first_row=1, records=records, line=2)
            with pytest.raises(SourceChanged, match="page 1"):
                source.read_page(wrong)


def test_a_closed_file_leaves_no_descriptor_also_when_it_is_refused(file: Path, tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    source = opened(file)
    source.close()
    source.close()
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(Exception, match="empty"):
        opened(empty)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_records_are_numbered_on_over_pages_rejected_ones_included(file: Path) -> None:
    file.write_bytes(b"a,b\n1,2\nragged\n\n3,4\n")
    found = read_in_pages(file, 1)
    assert [(row.number, row.line, isinstance(row, Record)) for row in found] == [
        (1, 2, True),
        (2, 3, False),
        (3, 5, True),
    ]
