"""What a feed says of how its files are written, rule by rule; any settings at all are in the property tests."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from csv_pages import read_in_pages

from activities.source import extent
from activities.source.dialect import pinned_dialect
from activities.source.pinned_file import PinnedFile
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
    assert "cannot be told apart in utf-16-le; save it in UTF-8" in refusal(file, "\ufeffa\n".encode("utf-16"), arrows)
    assert "cannot be told apart in cp1252" in refusal(file, b"a\n", CsvOptions(delimiter="→", encoding="cp1252"))
    assert "cannot be told apart in euc_kr" in refusal(file, b"a\n", CsvOptions(delimiter="§", encoding="euc_kr"))


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


def test_a_file_without_a_header_has_numbered_or_given_names(file: Path) -> None:
    text = "1,Ann\n2,Bob\n"
    assert values(file, text, CsvOptions(has_header=False)) == [["1", "Ann"], ["2", "Bob"]]
    with SourceFile.open(file, CsvOptions(has_header=False)) as source:
        assert (source.dialect.columns, source.dialect.data_line) == (("column_1", "column_2"), 1)
    given = CsvOptions(has_header=False, column_names=("id", "name"), required_columns=("name",))
    assert values(file, text, given) == [["1", "Ann"], ["2", "Bob"]]
    with SourceFile.open(file, given) as source:
        assert source.dialect.columns == ("id", "name")


@pytest.mark.parametrize("options", [CsvOptions(has_header=False), CsvOptions(has_header=False, column_names=("a",))])
def test_a_file_without_a_header_and_without_records_is_refused(file: Path, options: CsvOptions) -> None:
    assert "the file is empty: there is not " in refusal(file, b"\n\n", options)


def test_lines_before_the_header_are_passed_over_whatever_they_hold_and_still_counted(file: Path) -> None:
    file.write_bytes(b'Sales "2024\r\n\r\n,,;\rid,n\n1,2\n')
    rows = read_in_pages(file, 1, CsvOptions(skip_lines=3))
    assert rows == [Record(1, 5, ["1", "2"])]
    assert "nothing stands behind the 5 lines" in refusal(file, file.read_bytes(), CsvOptions(skip_lines=5))


def test_a_line_that_names_the_separator_is_one_of_the_lines_passed_over(file: Path) -> None:
    assert values(file, "sep=;\nSales\nid;n\n1;2\n", CsvOptions(skip_lines=2)) == [["1", "2"]]


def test_a_separator_that_the_feed_uses_otherwise_is_not_read_from_the_file(file: Path) -> None:
    for options in (CsvOptions(quote="'"), CsvOptions(comment="'")):
        assert "which its feed uses otherwise" in refusal(file, b"sep='\na'b\n", options)


def test_comments_are_no_records_wherever_a_record_may_begin_and_nowhere_else(file: Path) -> None:
    text = '# a "title\nid,text\n# one\n\n#two\n1,"a\n# b"\n2,# c\n #,d\n# last'
    assert values(file, text, CsvOptions(comment="#")) == [["1", "a\n# b"], ["2", "# c"], [" #", "d"]]


def test_a_long_comment_is_passed_over_in_little_memory(file: Path) -> None:
    text = "id,text\n# " + "x" * 300_000 + "\n1,a\n"
    assert values(file, text, CsvOptions(comment="#", max_record_bytes=64)) == [["1", "a"]]


def test_a_footer_is_the_last_lines_that_match_as_a_whole_and_blank_ones_among_them(file: Path) -> None:
    text = "id,n\nTotal: 0,1\n1,2\n\nTotal: 3\n\nTotal: 4\n\n"
    options = CsvOptions(footer="Total: .")
    assert values(file, text, options) == [["Total: 0", "1"], ["1", "2"]]
    with SourceFile.open(file, options) as source:
        assert source.dialect.data_end == text.index("Total: 3")
    assert values(file, text.replace("Total: 3", "x,Total: 3"), options)[-1] == ["x", "Total: 3"]
    assert values(file, "id,n\n1,2\n\n", options) == [["1", "2"]]


def test_a_footer_is_looked_for_at_the_very_end_alone(file: Path) -> None:
    text = "id,n\n1,2\n" + "Total: 3\n" * 4
    with patch.object(extent, "FOOTER_BYTES", 20):
        assert values(file, text, CsvOptions(footer="Total: .")) == [["1", "2"], "ragged", "ragged"]


def test_blanks_around_values_and_quotes_are_left_out_where_that_is_set(file: Path) -> None:
    text = 'id , text\n 1,\t "a, b" \n2 , c d \n3," e "\n4, "x" y\n'
    found = values(file, text, CsvOptions(trim=True, delimiter=","))
    assert found == [["1", "a, b"], ["2", "c d"], ["3", " e "], "bad_quote"]
    with SourceFile.open(file, CsvOptions(trim=True, delimiter=",")) as source:
        assert source.dialect.columns == ("id", "text")
    assert values(file, "id\ttext\n1\t \n", CsvOptions(trim=True, delimiter="tab")) == [["1", ""]]


def test_a_quote_inside_a_bare_field_is_rejected_where_that_is_set(file: Path) -> None:
    text = 'id,text\n1,5" pipe\n2,"5"" pipe"\n3,\\"\n'
    assert values(file, text, CsvOptions(bare_quotes="reject")) == ["bad_quote", ["2", '5" pipe'], "bad_quote"]
    assert values(file, 'id,t\n3,\\"\n', CsvOptions(bare_quotes="reject", escape="\\")) == [["3", '"']]


def test_short_rows_are_filled_up_where_that_is_set_and_long_ones_are_not_cut(file: Path) -> None:
    text = "a,b,c\n1\n1,2\n1,2,3\n1,2,3,4\n"
    found = values(file, text, CsvOptions(short_rows="pad"))
    assert found == [["1", "", ""], ["1", "2", ""], ["1", "2", "3"], "ragged"]


def fields_of(file: Path, content: str, options: CsvOptions | None = None) -> tuple[tuple[str, ...], bool, bool]:
    """Return the columns, whether blanks are left out, and whether each record has one field more that is none."""
    file.write_text(content)
    with SourceFile.open(file, options or CsvOptions()) as source:
        found = source.dialect
    return found.columns, found.fields.trim, found.fields.trailing_delimiter


def test_a_delimiter_at_the_end_of_every_record_and_of_the_header_separates_nothing(file: Path) -> None:
    text = "a;b;\n1;2;\n3;;\n"
    assert fields_of(file, text) == (("a", "b"), False, True)
    late = text + "5;6;\n" * 200 + "7;8\n7;8;9\n7;8;9;\n"
    assert values(file, late, CsvOptions())[-4:] == [["5", "6"], "ragged", "ragged", "ragged"]
    padded = values(file, late, CsvOptions(short_rows="pad"))
    assert padded[-3:] == [["7", "8"], "ragged", "ragged"]


@pytest.mark.parametrize("text", ["a;b;\n", "a;b;\n1;2;3\n", "a;b\n1;2;\n", "a;b;c\n1;2;\n", 'a;b;\n1;2;\n"3;4;\n'])
def test_where_one_record_differs_the_last_field_is_a_column(file: Path, text: str) -> None:
    assert not fields_of(file, text)[2]


def test_spaces_before_all_quotes_are_left_out_with_those_before_other_values(file: Path) -> None:
    text = 'id, "name", note\n1, "Ann, B", x\n2, "Bob\nC", \n'
    assert fields_of(file, text) == (("id", "name", "note"), True, False)
    assert values(file, text, CsvOptions()) == [["1", "Ann, B", "x"], ["2", "Bob\nC", ""]]
    assert fields_of(file, text.replace(" x", "x")) == (("id", ' "name"', " note"), False, False)


@pytest.mark.parametrize(
    "text",
    [
        'id, "name"\n1, "Ann"\n2,"Bob"\n',
        'id, "name"\n1, "Ann" x\n',
        'id, "name"\n',
        'id, "name"\n1, "Ann", 3\n',
        'id , "name"\n1, "Ann"\n',
        'id, name\n1, 5" pipe\n',
        "id, name\n1, Ann\n",
    ],
)
def test_where_spaces_before_quotes_are_not_all_there_is_they_are_text(file: Path, text: str) -> None:
    assert not fields_of(file, text)[1]


def test_what_was_detected_is_pinned_and_read_again_the_same(file: Path) -> None:
    file.write_text('id, "name",\n1, "Ann, B",\n')
    with SourceFile.open(file, CsvOptions()) as source:
        found = source.dialect
    assert (found.fields.trim, found.fields.trailing_delimiter) == (True, True)
    with closing(PinnedFile.open(file)) as window:
        assert pinned_dialect(window, found.pinned(), CsvOptions()) == found
