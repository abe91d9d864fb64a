"""How a file is written is decided from its start, or the file is refused with a word about what it seems to be."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from csv_pages import read_in_pages

from activities.source.detection.examination import examine
from activities.source.field_format import FieldFormat
from activities.source.header import columns
from activities.source.pinned_file import PinnedFile
from activities.source.source_file import Dialect, Record, SourceFile
from activities.source.utf8_scan import Utf8Scan
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions, Page


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def dialect(file: Path, content: bytes, options: CsvOptions | None = None) -> Dialect:
    file.write_bytes(content)
    with SourceFile.open(file, options or CsvOptions()) as source:
        return source.dialect


def refusal(file: Path, content: bytes, options: CsvOptions | None = None) -> str:
    with pytest.raises(InvalidCsv) as refused:
        dialect(file, content, options)
    assert str(refused.value).startswith("rows.csv: ")
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "options", "evidence"),
    [
        (
            b"a,b\n1,2\n3\n",
            CsvOptions(),
            (
                "the file has ASCII characters alone",
                "1 of the first 2 records are as wide as the header",
                "first record",
            ),
        ),
        (b"a\n1\n", CsvOptions(), ("the file has ASCII characters alone", "header alone", "first record")),
        (b"\xef\xbb\xbfsep=;\na;b\n1;2\n", CsvOptions(), ("byte order mark", "first line", "first record")),
        (
            b"1;2\n3;4\n",
            CsvOptions(encoding="cp1252", delimiter=";", has_header=False),
            ("setting", "setting", "setting"),
        ),
    ],
)
def test_it_is_said_on_what_evidence_a_dialect_was_decided(
    file: Path, content: bytes, options: CsvOptions, evidence: tuple[str, str, str]
) -> None:
    found = dialect(file, content, options).pinned().decided_by
    assert found == dict(zip(("encoding", "delimiter", "header"), evidence, strict=True))


@pytest.mark.parametrize(
    ("content", "evidence"),
    [
        ("é\n1\n".encode(), "all of the file is valid in it"),
        ("é,è\n1,2\n".encode() + b"\xff,3\n", "nearly all characters outside ASCII are valid in it"),
        (b"\xe9\n1\n", "the file is not UTF-8; this is what such files mostly are"),
    ],
)
def test_of_an_encoding_that_all_bytes_decide_it_is_said_what_they_are_alike_in_both_places(
    file: Path, content: bytes, evidence: str
) -> None:
    assert dialect(file, content).decided_by["encoding"] == evidence
    with closing(PinnedFile.open(file)) as window:
        assert examine(window, CsvOptions()).encoding_evidence == evidence


def test_the_whole_dialect_is_recorded(file: Path) -> None:
    assert dialect(file, b'a,"b,c"\r\n1,2\r\n') == Dialect(
        FieldFormat(delimiters=(",",)), "utf-8", "\r\n", ("a", "b,c"), 9, 2
    )


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        (b"a,b;c,d", ","),
        (b"a;b;c,d", ";"),
        (b"a\tb", "\t"),
        (b"a|b|c", "|"),
        (b"a,b;c", ","),
        (b"a;b\tc", ";"),
        (b'"a,b,c";d', ";"),
        (b'5" x,y;3" x,z', ","),
        (b"single", ","),
    ],
)
def test_where_no_record_fits_the_delimiter_is_the_most_frequent_one_outside_quotes_in_the_header(
    file: Path, header: bytes, delimiter: str
) -> None:
    assert dialect(file, header + b"\n1;2;3;4;5\n").delimiter == delimiter


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("Datum;Betrag, EUR;Steuer, EUR;Saldo, EUR\n01.02.2024;1,50;2,30;4.000,00\n", 4),
        ("Name;Betrag, EUR\nAnna;1,50\nBert;-12,00\n", 2),
        ("Name;Betrag, EUR, netto, 2024\nAnna;1,50\n", 2),
        ("a|b, c, d|e\n1|x, y|2\n", 3),
        ("id\tnet, EUR, 2024\n1\t1,50\n", 2),
        ("id,tags;labels;keys\n1,a\n2,b;c\n3,d\n4,e\n", 2),
        ('"id";"Betrag, EUR"\n"1";"1,50, 2,50"\n', 2),
        ("Größe;Wert, mm\n1;2,5\n".encode("utf-16"), 2),
    ],
)
def test_the_first_records_decide_the_delimiter_where_the_header_has_several(
    file: Path, content: str | bytes, columns: int
) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    assert len(dialect(file, raw).columns) == columns
    assert all(isinstance(row, Record) for row in read_in_pages(file, 2)) or b"tags" in raw


def test_a_file_that_can_be_read_in_two_ways_is_refused_with_both(file: Path) -> None:
    reported = refusal(file, b"x,y;z\na,b;c\nd,e;f\n")
    assert "by comma into 2 columns (x / y;z)" in reported
    assert "by semicolon into 2 columns (x,y / z)" in reported
    assert reported.rpartition("; ")[2].startswith("set BATCH_DELIMITER")
    assert dialect(file, b"x,y;z\na,b;c\nd,e;f\n", CsvOptions(delimiter=";")).columns == ("x,y", "z")


@pytest.mark.parametrize("setting", ["auto", ","])
@pytest.mark.parametrize(
    ("first", "delimiter"),
    [
        ("sep=:", ":"),
        ("sep=§", "§"),
        ("sep=\x01", "\x01"),
        ("sep=;", ";"),
        ("SEP=;", ";"),
        ('"sep=;"', ";"),
        ("sep=\t", "\t"),
        ("sep=|", "|"),
        ("sep=,", ","),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_first_line_that_names_the_separator_decides_it_and_is_no_header(
    file: Path, first: str, delimiter: str, codec: str, setting: str
) -> None:
    found = dialect(file, f"{first}\r\na{delimiter}b\r\n1{delimiter}2".encode(codec), CsvOptions(delimiter=setting))
    assert (found.delimiter, found.columns, found.data_line) == (delimiter, ("a", "b"), 3)
    assert read_in_pages(file, 1, CsvOptions(delimiter=setting)) == [Record(1, 3, ["1", "2"])]


def test_a_first_line_that_names_a_separator_that_is_not_read_is_refused(file: Path) -> None:
    assert "names the separator a" in refusal(file, b"sep=a\nbac\n")
    assert "empty" in refusal(file, b"sep=;\n")
    assert dialect(file, b"sep=;x\n1;2\n").columns == ("sep=", "x")
    assert dialect(file, b"sep=;;\n1;2;3\n").columns == ("sep=", "column_2", "column_3")


@pytest.mark.parametrize(("setting", "columns"), [("tab", ("a;b", "c")), (";", ("a", "b\tc")), (",", ("a;b\tc",))])
def test_a_delimiter_that_is_set_is_used(file: Path, setting: str, columns: tuple[str, ...]) -> None:
    assert dialect(file, b"a;b\tc\n", CsvOptions(delimiter=setting)).columns == columns


@pytest.mark.parametrize(
    ("content", "newline"),
    [
        (b"a\n1\n2", "\n"),
        (b'a\r\n"x\ny"\r\n', "\r\n"),
        (b"a\r1\r", "\r"),
        (b"a\r\n1\n", "mixed"),
        (b"a", "\n"),
    ],
)
def test_the_newline_is_that_of_the_records_not_of_quoted_text(file: Path, content: bytes, newline: str) -> None:
    assert dialect(file, content).newline == newline


@pytest.mark.parametrize(
    ("content", "encoding", "start"),
    [
        (b"a,b\n1,2\n", "utf-8", 4),
        ("a,b\né,2\n".encode(), "utf-8", 4),
        (codecs.BOM_UTF8 + b'"a",b\n', "utf-8", 9),
        (codecs.BOM_UTF8 * 2 + b'"a",b\n', "utf-8", 12),
        (codecs.BOM_UTF16_LE * 3 + "a,b\n".encode("utf-16-le"), "utf-16-le", 14),
        (codecs.BOM_UTF16_LE + "a,b\n".encode("utf-16-le"), "utf-16-le", 10),
        (codecs.BOM_UTF16_BE + "a,b\n".encode("utf-16-be"), "utf-16-be", 10),
        ("a,b\né,2\n".encode("cp1252"), "cp1252", 4),
        ("a,b\n\ufffd,2\n".encode(), "utf-8", 4),
        (b"\n\r\na,b\r\n\r\n\n1,2\n", "utf-8", 11),
        (b"a,b\n\n\n", "utf-8", 6),
    ],
)
def test_marks_decide_the_encoding_else_utf8_where_the_file_fits_else_cp1252(
    file: Path, content: bytes, encoding: str, start: int
) -> None:
    found = dialect(file, content)
    assert (found.encoding, found.data_start, found.columns) == (encoding, start, ("a", "b"))


def test_one_broken_byte_among_many_good_ones_does_not_turn_a_utf8_file_into_cp1252(file: Path) -> None:
    assert dialect(file, ("a,b\n" + "é,2\n" * 9).encode() + b"\xff,2\n").encoding == "utf-8"


def test_a_multibyte_character_across_the_end_of_the_sample_is_not_a_broken_one(file: Path) -> None:
    assert dialect(file, b"a,b\n" + b"1" * 65_531 + "é,2\n".encode()).encoding == "utf-8"


@pytest.mark.parametrize("content", [b"name\nJos\xe9", b"name\nJos\xe9\n", "name\nJosé".encode()])
def test_an_accent_as_the_very_last_byte_counts_as_any_other(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert read_in_pages(file, 1) == [Record(1, 2, ["José"])]


@pytest.mark.parametrize("rows", [10, 20_000, 400_000])
def test_an_accent_counts_wherever_in_the_file_it_stands(file: Path, rows: int) -> None:
    for codec in ("cp1252", "utf-8"):
        file.write_bytes(b"a,b\n" + b"1,2\n" * rows + "é,2\n3,4\n".encode(codec))
        with SourceFile.open(file, CsvOptions()) as source:
            assert source.dialect.encoding == codec
            page = Page(number=1, source_start=4 + 4 * rows, source_end=file.stat().st_size, first_row=1, records=2)
            assert [row.values for row in source.read_page(page) if isinstance(row, Record)] == [["é", "2"], ["3", "4"]]


@pytest.mark.parametrize("text", ["é", "a€b", "😀x", "ascii only", "é\ufffd"])
@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
def test_the_encoding_is_the_same_however_the_blocks_cut_the_file(text: str, codec: str) -> None:
    content = (text * 3).encode(codec, "replace")
    wanted = "utf-8" if content.isascii() or codec == "utf-8" else "cp1252"
    for size in range(1, len(content) + 1):
        scan = Utf8Scan()
        for at in range(0, len(content), size):
            scan.feed(content[at : at + size])
        assert scan.encoding() == wanted


def test_bytes_that_are_not_of_the_encoding_reject_their_records(file: Path) -> None:
    file.write_bytes("a,b\né,2\nü,3\n".encode() + b"1,2\n" * 20_000 + b"\xe9,2\n3,4\n")
    assert [getattr(row, "reason", "row") for row in read_in_pages(file, 9_000)[-2:]] == ["undecodable", "row"]


@pytest.mark.parametrize(
    ("setting", "encoding"), [("latin-1", "iso8859-1"), ("cp1251", "cp1251"), ("UTF8", "utf-8"), ("utf-8-sig", "utf-8")]
)
def test_an_encoding_that_is_set_is_used_under_its_python_name(file: Path, setting: str, encoding: str) -> None:
    assert dialect(file, "я,b\n".encode("cp1251"), CsvOptions(encoding="cp1251")).columns == ("я", "b")
    assert dialect(file, b"a,b\n", CsvOptions(encoding=setting)).encoding == encoding


def test_a_byte_order_mark_wins_over_the_setting(file: Path) -> None:
    found = dialect(file, codecs.BOM_UTF8 + "é,b\n".encode(), CsvOptions(encoding="cp1252"))
    assert (found.encoding, found.columns) == ("utf-8", ("é", "b"))


@pytest.mark.parametrize("setting", ["utf-32", "utf-16", "utf-7", "cp037", "gbk", "raw_unicode_escape", "no-such"])
def test_an_encoding_in_which_a_comma_may_be_something_else_is_refused(file: Path, setting: str) -> None:
    assert setting in refusal(file, b"a,b\n", CsvOptions(encoding=setting))


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml"), "x")
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip"),
        (_zip(), "Excel"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"\x89PNG\r\n\x1a\n\0\0", "PNG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\n <!DOCTYPE html>\n<html>", "HTML"),
        (codecs.BOM_UTF8 + b"<html>,b\n", "HTML"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-32-le"), "UTF-32"),
        ("a,b\n1,2\n".encode("utf-32"), "UTF-32"),
        (bytes(4096), "binary"),
        (b"a,b\n" + bytes(range(256)) * 4, "binary"),
        (b"a,b\0\n1,2\n", "NUL"),
        (b"", "empty"),
        (b"\n\r\n\n", "empty"),
        (codecs.BOM_UTF8, "empty"),
        (codecs.BOM_UTF16_LE + "\r\n".encode("utf-16-le"), "empty"),
        (b'a,"b\n1,2\n', "quote"),
        (b'a,"b"c\n1,2\n', "quote"),
        (codecs.BOM_UTF8 + b"\xff,b\n", "utf-8"),
    ],
)
def test_what_is_not_a_csv_file_is_refused_and_named(file: Path, content: bytes, word: str) -> None:
    assert word in refusal(file, content)


def test_a_header_over_the_cap_on_records_is_refused(file: Path) -> None:
    assert "MAX_RECORD_BYTES" in refusal(file, b"a," * 50 + b"\n", CsvOptions(max_record_bytes=64))


def test_missing_required_columns_are_all_named(file: Path) -> None:
    reported = refusal(file, b"id,name\n", CsvOptions(required_columns=("id", "email", "age")))
    assert "email, age" in reported
    assert dialect(file, b"id,name\n", CsvOptions(required_columns=("name", "id"))).columns == ("id", "name")


def test_a_header_of_more_columns_than_allowed_is_refused_by_their_number(file: Path) -> None:
    assert "16,385 columns, and BATCH_MAX_COLUMNS allows 16,384" in refusal(file, b"," * 16_384 + b"\n")
    assert len(dialect(file, b"," * 16_383 + b"\n").columns) == 16_384
    assert "1,048,575 columns" in refusal(file, b"," * 1_048_574 + b"\n" + b"," * 1_048_574)
    assert "3 columns, and BATCH_MAX_COLUMNS allows 2" in refusal(file, b"a,b,c\n", CsvOptions(max_columns=2))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ([" a ", "A", "a"], [" a ", "A", "a"]),
        (["a", "a", "a"], ["a", "a__2", "a__3"]),
        (["a", "a", "a__2"], ["a", "a__3", "a__2"]),
        (["", "x", ""], ["column_1", "x", "column_3"]),
        (["", "column_1"], ["column_1__2", "column_1"]),
        (["_row", "enriched", "error", "_row"], ["_row__2", "enriched__2", "error__2", "_row__3"]),
    ],
)
def test_columns_are_distinct_and_verbatim_where_they_can_be(names: list[str], expected: list[str]) -> None:
    assert list(columns(names)) == expected


def test_a_header_of_a_hundred_thousand_equal_names_is_numbered_in_one_go() -> None:
    assert len(set(columns(["a"] * 100_000))) == 100_000
