"""What is a record, what is rejected and why, and where reading goes on."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from csv_pages import PAGE_SIZES, pages_of, read_in_pages

from activities.source import reader as page_records
from activities.source.parser import RecordReader
from activities.source.source_file import Record, Rejected, SourceFile
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions

NASTY = CsvOptions(max_record_bytes=64, max_field_bytes=16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def rows(file: Path, content: bytes, options: CsvOptions | None = None) -> list[Record | Rejected]:
    """Read `content` whole, and see that every page size gives the same."""
    file.write_bytes(content)
    whole = read_in_pages(file, 1_000_000, options)
    for size in PAGE_SIZES:
        assert read_in_pages(file, size, options) == whole
    return whole


def values(file: Path, content: bytes, options: CsvOptions | None = None) -> list[list[str] | str]:
    found = rows(file, content, options)
    return [each.values if isinstance(each, Record) else each.reason for each in found]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_ends_a_record_and_none_is_needed_at_the_end(file: Path, newline: bytes) -> None:
    assert values(file, newline.join([b"a,b", b"1,2", b"3,4"])) == [["1", "2"], ["3", "4"]]


def test_line_ends_may_be_mixed_and_lines_are_counted_right(file: Path) -> None:
    found = rows(file, b"a,b\r\n1,2\n3,4\r5,6\r\n\r\n7,8\n\r9,0")
    assert [(row.line, row.number) for row in found] == [(2, 1), (3, 2), (4, 3), (6, 4), (8, 5)]


def test_a_quoted_delimiter_quote_or_newline_stays_in_its_field(file: Path) -> None:
    assert values(file, b'a,b\n"1,5","say ""hi"""\n"two\r\nlines",x\n') == [["1,5", 'say "hi"'], ["two\r\nlines", "x"]]


def test_the_line_of_a_record_counts_the_newlines_inside_quotes(file: Path) -> None:
    assert [row.line for row in rows(file, b'a,b\n"1\n2\r\n3",x\ny,z\n')] == [2, 5]


def test_a_quote_inside_an_unquoted_field_is_text(file: Path) -> None:
    assert values(file, b'a,b\n5" disk,3" disk\n "x,y"\n') == [['5" disk', '3" disk'], [' "x', 'y"']]


def test_blank_lines_are_no_records_and_belong_to_the_record_or_header_before_them(file: Path) -> None:
    assert values(file, b"\n\na,b\n\n\n1,2\n\n\n3,4\n\n") == [["1", "2"], ["3", "4"]]
    assert [(page.source_start, page.source_end) for page in pages_of(file, 1)] == [(8, 14), (14, 19)]


def test_blank_lines_at_the_end_of_a_page_belong_to_it_wherever_the_blocks_of_reading_end(file: Path) -> None:
    for filling in range(page_records.LEAST_BYTES - 9, page_records.LEAST_BYTES + 3):
        content = b"a\n" + b"x" * filling + b"\n" + b"\r\n" * 3 + b"y\n\n"
        assert values(file, content) == [["x" * filling], ["y"]]


def test_a_quoted_empty_field_is_a_record_of_a_single_column(file: Path) -> None:
    assert values(file, b'a\n""\n\n1\n') == [[""], ["1"]]


def test_a_header_alone_gives_no_pages(file: Path) -> None:
    for content in (b"a,b", b"a,b\n", b"a,b\n\n\n"):
        assert rows(file, content) == []
        assert pages_of(file, 5) == []


def test_a_ragged_record_is_rejected_with_its_widths(file: Path) -> None:
    found = rows(file, b"a,b\n1\n1,2,3\n1,2\n")
    assert found[:2] == [
        Rejected(1, 2, "ragged", "1 field, the header has 2"),
        Rejected(2, 3, "ragged", "3 fields, the header has 2"),
    ]
    assert found[2] == Record(3, 4, ["1", "2"])


def test_text_behind_a_closing_quote_is_rejected_and_the_next_record_is_not_touched(file: Path) -> None:
    assert values(file, b'a,b\n"1"x,2\n"1" ,2\n3,4\n') == ["bad_quote", "bad_quote", ["3", "4"]]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b'1,"Anna""', b'2,"Bert"', b'3,"Carl"'], ["bad_quote", ["2", "Bert"], ["3", "Carl"]]),
        ([b'1,"Anna""', b"2,Bert", b'3,"Carl"'], ["bad_quote", ["2", "Bert"], ["3", "Carl"]]),
        ([b'"1"",Anna', b'"2",Bert', b'"3",Carl'], ["bad_quote", ["2", "Bert"], ["3", "Carl"]]),
        ([b'1,"Anna""', b'2,"Bert""', b'3,"Carl"'], ["bad_quote", "bad_quote", ["3", "Carl"]]),
        ([b'1,"Anna""', b'2,"a ""b"" c"', b"3,Carl"], ["bad_quote", ["2", 'a "b" c'], ["3", "Carl"]]),
        ([b'"two', b'lines","Anna""', b'2,"Bert"'], ["bad_quote", ["2", "Bert"]]),
        ([b'"1"x,"two', b'lines"', b'2,"Bert"'], ["bad_quote", ["2", "Bert"]]),
        ([b'"1"x,"Anna""', b'2,"Bert"'], ["bad_quote", ["2", "Bert"]]),
        ([b'1,"Anna""', b"", b'2,"Bert"'], ["bad_quote", ["2", "Bert"]]),
        ([b'1,"Anna""', b'2,"open', b"3,Carl"], ["bad_quote", "unclosed_quote", ["3", "Carl"]]),
    ],
)
def test_a_quote_too_many_costs_its_own_line_and_not_the_good_record_behind_it(
    file: Path, newline: bytes, lines: list[bytes], expected: list[list[str] | str]
) -> None:
    assert values(file, newline.join([b"a,b", *lines, b""])) == expected


def test_a_quote_too_many_in_the_header_is_said(file: Path) -> None:
    file.write_bytes(b'a,"b""\n1,"2"\n')
    with pytest.raises(InvalidCsv, match="a quote that is not closed"):
        read_in_pages(file, 1)


def test_an_unclosed_quote_costs_one_line(file: Path) -> None:
    assert values(file, b'a,b\n1,"open\n3,4\n5,6\n') == ["unclosed_quote", ["3", "4"], ["5", "6"]]
    assert values(file, b'a,b\n1,2\n3,"open') == [["1", "2"], "unclosed_quote"]
    assert values(file, b'a,b\n1,2\n"') == [["1", "2"], "unclosed_quote"]


def test_a_quote_closed_past_the_cap_on_records_counts_as_unclosed(file: Path) -> None:
    content = b'a,b\n1,"open\n' + b"3,4\n" * 20 + b'x"\n5,6\n'
    found = values(file, content, NASTY)
    assert found == ["unclosed_quote", *[["3", "4"]] * 20, "ragged", ["5", "6"]]


def test_a_record_exactly_at_the_cap_is_read_and_one_byte_more_is_rejected(file: Path) -> None:
    options = CsvOptions(max_record_bytes=64, max_field_bytes=64)
    fits, longer = b"x" * 62 + b",y", b"x" * 63 + b",y"
    assert values(file, b"a,b\n" + fits + b"\r\n" + longer + b"\r\n1,2", options) == [
        ["x" * 62, "y"],
        "record_too_large",
        ["1", "2"],
    ]


def test_an_oversize_quoted_field_on_one_line_is_one_rejected_record(file: Path) -> None:
    assert values(file, b'a,b\n"' + b"x" * 100 + b'",2\n3,4\n', NASTY) == ["record_too_large", ["3", "4"]]


def test_a_field_over_its_cap_is_rejected_by_the_bytes_of_its_value(file: Path) -> None:
    content = "a,b\n{},2\n{},2\n{},2\n".format("x" * 16, "x" * 17, "é" * 9).encode()
    found = rows(file, content, NASTY)
    assert isinstance(found[0], Record)
    assert found[1] == Rejected(2, 3, "field_too_large", "field 1 has 17 bytes, the limit is 16")
    assert found[2] == Rejected(3, 4, "field_too_large", "field 1 has 18 bytes, the limit is 16")


def test_a_field_longer_than_pythons_own_limit_is_read_where_the_cap_allows_it(file: Path) -> None:
    [row] = rows(file, b'a,b\n"' + b"x" * 200_000 + b'",2\n')
    assert isinstance(row, Record)
    assert len(row.values[0]) == 200_000


def test_a_page_of_many_sound_lines_is_read_at_once_and_held_a_block_at_a_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"a,b\r\n" + b'"1","x, y"\r\n2,z\r\n' * 20_000)
    [page] = pages_of(file, 1_000_000)
    monkeypatch.setattr(page_records, "Borders", None)  # what reads one by one
    read_bytes: list[int] = []
    with SourceFile.open(file, CsvOptions()) as source:
        pread = os.pread
        monkeypatch.setattr(os, "pread", lambda fd, count, at: read_bytes.append(count) or pread(fd, count, at))
        found = source.rows_of(page)
        assert next(found) == Record(1, 2, ["1", "x, y"])
        assert sum(read_bytes) <= page_records.MOST_BYTES
        assert list(found)[-1] == Record(40_000, 40_001, ["2", "z"])
    assert sum(read_bytes) < 1.01 * file.stat().st_size


def test_a_record_of_several_lines_does_not_keep_its_page_from_being_read_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"a,b\n" + b"1,x\n" * 30_000 + b'"two\n\nlines",y\n\n' + b"3,z\n" * 30_000)
    [page] = pages_of(file, 1_000_000)
    carefully: list[int] = []
    read = RecordReader.read
    monkeypatch.setattr(RecordReader, "read", lambda *a, **k: carefully.append(k["line"]) or read(*a, **k))
    with SourceFile.open(file, CsvOptions()) as source:
        rows = source.read_page(page)
    assert rows[29_999:30_002] == [
        Record(30_000, 30_001, ["1", "x"]),
        Record(30_001, 30_002, ["two\n\nlines", "y"]),
        Record(30_002, 30_006, ["3", "z"]),
    ]
    assert len(rows) == 60_001
    assert len(carefully) < 3_000


def test_undecodable_bytes_and_nul_reject_their_record_only(file: Path) -> None:
    found = rows(file, "a,b\né,ü\n".encode() + b"\xff,2\n1,\0\n3,4\n", CsvOptions(encoding="utf-8"))
    assert [each.reason if isinstance(each, Rejected) else "" for each in found] == ["", "undecodable", "nul_byte", ""]


def test_a_detail_never_holds_what_a_cell_says(file: Path) -> None:
    secret = b"canary"
    lines = [
        secret,
        secret + b"\xff,1",
        secret + b"\0,1",
        b'"' + secret + b'"x,1',
        secret * 20 + b",1",
        b'1,"' + secret,
    ]
    found = rows(file, b"a,b\n" + b"\n".join(lines), CsvOptions(encoding="utf-8", max_record_bytes=64))
    assert {each.reason for each in found if isinstance(each, Rejected)} == {
        "ragged",
        "undecodable",
        "nul_byte",
        "bad_quote",
        "record_too_large",
        "unclosed_quote",
    }
    for each in found:
        assert isinstance(each, Rejected)
        assert "canary" not in each.detail
        assert len(each.detail) <= 200


def test_utf16_borders_fall_on_code_units(file: Path) -> None:
    text = 'a,b\r\n1,\u0a0d\r\n\u0a2c\u2c0a,\U0001f600\r\n"x\r\ny",2\r\n'
    for codec, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        assert values(file, mark + text.encode(codec)) == [
            ["1", "\u0a0d"],
            ["\u0a2c\u2c0a", "\U0001f600"],
            ["x\r\ny", "2"],
        ]


def test_a_lone_last_byte_of_utf16_is_an_undecodable_record(file: Path) -> None:
    assert values(file, b"\xff\xfe" + "a\n1\n".encode("utf-16-le") + b"x") == [["1"], "undecodable"]


def test_a_hundred_megabyte_field_is_passed_in_bounded_memory(file: Path) -> None:
    with file.open("wb") as out:
        out.write(b"a,b\n1,2\n" + b"x" * 100_000)
        out.seek(100_000_000, 1)
        out.write(b",2\n3,4\n")
    tracemalloc.start()
    try:
        found = read_in_pages(file, 10)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [type(each) for each in found] == [Record, Rejected, Record]
    assert (found[2].number, found[2].line) == (3, 4)
    assert peak_bytes < 16_000_000
