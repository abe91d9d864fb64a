"""Many borders found at once are those found record by record."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

from csv_pages import PAGE_SIZES
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.source import scanner as record_borders
from activities.source import source_file as pages_of_file
from activities.source.grammar import RECORD_RULES, Grammar
from activities.source.sound_records import SoundRecords
from activities.source.source_file import SourceFile
from workflows.models import CsvOptions, Cursor, Page

LINES = [
    "a,b\n",
    '"a","b"\r\n',
    '1,"x\ny ""z"""\n',
    "\n",
    "\r",
    "a\r",
    '"Anna"",2\n',
    'a"b,c\n',
    'x,"',
    "é,2\n",
    '"a"b,c\n',
]
ENCODINGS = ["utf-8", "cp1252", "utf-16-le", "utf-16-be"]


def found_pages(path: Path, options: CsvOptions, page_rows: int) -> list[Page]:
    with SourceFile.open(path, options) as source:
        return source.find_pages(Cursor(), page_rows=page_rows, max_pages=100_000).pages


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from([1, 1, 3, 40])), max_size=30),
    encoding=st.sampled_from(ENCODINGS),
    limit=st.sampled_from([6, 20, 1_000_000]),
    block=st.sampled_from([2, 64, 65_536]),
    most_page_bytes=st.sampled_from([1, 50, 33_554_432]),
)
def test_pages_found_many_records_at_once_are_those_found_one_by_one(
    lines: list[tuple[str, int]], encoding: str, limit: int, block: int, most_page_bytes: int
) -> None:
    text = "a,b\n" + "".join(line * times for line, times in lines)
    options = CsvOptions(encoding=encoding, delimiter=",", max_record_bytes=limit, max_field_bytes=limit)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(text.encode(encoding))
        for page_rows in PAGE_SIZES:
            with (
                patch.object(record_borders, "BLOCK_BYTES", block),
                patch.object(pages_of_file, "MAX_PAGE_BYTES", most_page_bytes),
            ):
                found = found_pages(path, options, page_rows)
                with patch.object(SoundRecords, "pass_some", lambda _, __, start, **___: (0, start)):
                    assert found_pages(path, options, page_rows) == found


def test_text_without_a_sound_record_is_not_looked_at_again_for_each_of_its_records() -> None:
    grammar = plain_grammar()
    units, sound, looks = b'"a"b,c\n' * 9_000, SoundRecords(grammar), 0
    look = SoundRecords._look

    def counted(self: SoundRecords, text: bytes, start: int) -> None:
        nonlocal looks
        looks += 1
        look(self, text, start)

    with patch.object(SoundRecords, "_look", counted):
        for start in range(0, len(units), 7):
            assert sound.pass_some(units, start, most=9, end=len(units)) == (0, start)
    assert 1 < looks < 20


def test_records_of_another_form_are_left_to_the_walk() -> None:
    with_escapes = plain_grammar(escape="\\")
    assert SoundRecords(with_escapes).pass_some(b"a\nb\n", 0, most=9, end=99) == (0, 0)


def plain_grammar(escape: str = "") -> Grammar:
    options = CsvOptions(encoding="utf-8", delimiter=",", escape=escape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(b"a,b\n1,2\n")
        with SourceFile.open(path, options) as source:
            grammar = source.dialect.grammar(1_000_000)
    assert grammar.rules == RECORD_RULES
    return grammar
