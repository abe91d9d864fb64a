"""Which encodings may be set: in each of them, what cuts records and fields is itself, whatever stands before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from csv_pages import read_in_pages
from repository import ROOT

from activities.source.encoding import READABLE, known, readable
from activities.source.parser import Record
from workflows.models import CsvOptions

BYTEWISE = sorted(READABLE - {"utf-16-le", "utf-16-be"})
CUTS = '",;\t|\r\n'


@pytest.mark.parametrize("encoding", BYTEWISE)
def test_a_byte_below_0x80_is_that_ascii_character_and_no_other_byte_is_one(encoding: str) -> None:
    assert bytes(range(128)).decode(encoding).encode("ascii") == bytes(range(128))
    for high in range(128, 256):
        for sequence in (bytes([high]), bytes([high, high]), bytes([high, 0xA1])):
            assert sequence.decode(encoding, "ignore").encode("ascii", "ignore") == b""
            for cut in CUTS:
                text = (sequence + cut.encode()).decode(encoding, "ignore")
                assert text == "" or text.endswith(cut), (sequence, cut)


def test_names_are_pythons_own_and_any_spelling_of_them_will_do() -> None:
    assert [known(each) for each in sorted(READABLE)] == sorted(READABLE)
    assert [readable(each) for each in ("UTF8", "utf-8-sig", "latin-1", "Windows-1252", "EUC-KR")] == [
        "utf-8",
        "utf-8",
        "iso8859-1",
        "cp1252",
        "euc_kr",
    ]


@pytest.mark.parametrize(
    "setting",
    [
        *("gbk", "big5", "shift_jis", "cp949", "mac-arabic", "cp037", "cp864", "iso2022_jp", "hz", "utf-7"),
        *("raw_unicode_escape", "unicode_escape", "utf-16", "utf-32", "punycode", "rot13"),
        *("no-such", "", "\0", "a" * 5_000),
    ],
)
def test_an_encoding_in_which_a_comma_may_be_something_else_is_not_read(setting: str) -> None:
    assert readable(setting) is None


@pytest.mark.parametrize(
    ("encoding", "word"), [("euc_kr", "한국"), ("gb2312", "中文"), ("euc_jp", "日本"), ("cp437", "é")]
)
def test_rows_in_an_encoding_that_is_set_are_read_as_they_were_written(
    tmp_path: Path, encoding: str, word: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(f'a|b\n{word}|"{word}|{word}"\n'.encode(encoding))
    assert read_in_pages(file, 1, CsvOptions(encoding=encoding)) == [Record(1, 2, [word, f"{word}|{word}"])]


def test_the_page_about_csv_lists_every_encoding_that_may_be_set() -> None:
    page = (ROOT / "docs" / "csv.md").read_text()
    listed = page.partition("## Encodings that may be set")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([^`]+)`", listed.partition("| family")[2])) == READABLE
