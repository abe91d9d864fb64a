"""What a feed says of how its files are written, rule by rule; any settings at all are in the property tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from csv_pages import read_in_pages

from activities.source.source_file import Record, SourceFile
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def values(file: Path, content: str | bytes, options: CsvOptions) -> list[list[str] | str]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = read_in_pages(file, 2, options)
    return [row.values if isinstance(row, Record) else row.reason for row in rows]


def refusal(file: Path, content: bytes, options: CsvOptions) -> str:
    file.write_bytes(content)
    with pytest.raises(InvalidCsv) as refused:
        SourceFile.open(file, options)
    return str(refused.value)


@pytest.mark.parametrize("delimiter", ["||", "::", "|~|", " ", "\x1f", "§", "→→", "^"])
def test_any_characters_may_separate_fields(file: Path, delimiter: str) -> None:
    lines = [["id", "text"], ["1", f'"a{delimiter}b"'], ["2", ""], ["", "|"]]
    text = "\n".join(delimiter.join(each) for each in lines)
    found = values(file, text, CsvOptions(delimiter=delimiter))
    assert found == [["1", f"a{delimiter}b"], ["2", ""], ["", "|"]]


def test_a_delimiter_that_the_encoding_lacks_or_may_hide_in_another_character_is_refused(file: Path) -> None:
    arrows = CsvOptions(delimiter="→")
    assert "cannot separate fields in utf-16-le; save it in UTF-8" in refusal(
        file, "\ufeffa\n".encode("utf-16"), arrows
    )
    assert "cannot separate fields in cp1252" in refusal(file, b"a\n", CsvOptions(delimiter="→", encoding="cp1252"))
    assert "cannot separate fields in euc_kr" in refusal(file, b"a\n", CsvOptions(delimiter="§", encoding="euc_kr"))


def test_single_quotes_are_read_where_they_are_set_and_double_ones_are_text_then(file: Path) -> None:
    text = "id,text\n1,'a,''b''\nc'\n2,\"x\n3,5' 6\n"
    assert values(file, text, CsvOptions(quote="'")) == [["1", "a,'b'\nc"], ["2", '"x'], ["3", "5' 6"]]


def test_without_quotes_every_line_is_a_record(file: Path) -> None:
    assert values(file, 'id;text\n1;"a\n2;b"\n', CsvOptions(quote="", delimiter=";")) == [["1", '"a'], ["2", 'b"']]


def test_a_backslash_takes_the_meaning_of_marks_away_and_is_text_before_all_else(file: Path) -> None:
    text = 'id,text\n1,"a \\"b\\", \\\\ \\n"\n2,a\\,b\n3,one\\\ntwo\n4,\\N\n5,C:\\temp\n'
    found = values(file, text, CsvOptions(escape="\\"))
    assert found == [["1", 'a "b", \\ \\n'], ["2", "a,b"], ["3", "one\ntwo"], ["4", "\\N"], ["5", "C:\\temp"]]


def test_with_a_backslash_a_doubled_quote_is_a_bad_one(file: Path) -> None:
    assert values(file, 'id,text\n1,"a""b"\n2,""\n', CsvOptions(escape="\\")) == ["bad_quote", ["2", ""]]


def test_what_is_set_is_pinned(file: Path) -> None:
    file.write_text("id||text\n1||'it\\'s'\n")
    with SourceFile.open(file, CsvOptions(delimiter="||", quote="'", escape="\\")) as source:
        pinned = source.dialect.pinned()
    assert (pinned.delimiter, pinned.quote, pinned.escape) == ("||", "'", "\\")
