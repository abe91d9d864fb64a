"""Any settings of a dialect, any text: read in pages as read whole, and as by a reader a character at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from csv_pages import read_in_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reading import Writing, slow_reading

from activities.source import reader as page_records
from activities.source import scanner as record_borders
from activities.source.source_file import Record, Rejected
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions

DELIMITERS = [",", ";", "\t", "|", " ", "||", "::", "|~|", "§", "§,", "\x01", ", "]
PIECES = [*"abé0\n\r\\'\" \t#|:~§", "bc", "\r\n", "\\\\", "''", '""']
ENCODINGS = st.sampled_from([("utf-8", b""), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("cp1252", b"")])


@st.composite
def writings(draw: st.DrawFn) -> Writing:
    return Writing(
        delimiter=draw(st.sampled_from(DELIMITERS)),
        quote=draw(st.sampled_from(['"', "'", ""])),
        escape=draw(st.sampled_from(["", "\\"])),
    )


@st.composite
def texts(draw: st.DrawFn, writing: Writing) -> str:
    """A text whose first record is a header of two sound names, which are unlike anything behind them."""
    quote, delimiter = writing.quote, writing.delimiter
    pieces = st.sampled_from([*PIECES, delimiter, delimiter + quote, quote + delimiter, quote, writing.escape + quote])
    return f"x{delimiter}y\n" + "".join(draw(st.lists(pieces, max_size=24)))


def options_of(writing: Writing, encoding: str, **limits: int) -> CsvOptions:
    return CsvOptions(
        encoding=encoding,
        delimiter=writing.delimiter,
        quote=writing.quote,
        escape=writing.escape,
        **limits,  # type: ignore[arg-type]  # only limits, which are numbers
    )


@contextmanager
def scratch(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(content)
        yield path


def plainly(row: Record | Rejected) -> tuple[int, list[str] | str]:
    return row.line, row.values if isinstance(row, Record) else row.reason


def expected(text: str, writing: Writing) -> list[tuple[int, list[str] | str]]:
    """Return what the rows are, where the header has two names."""
    _, *rows = slow_reading(text, writing)
    return [(line, values if isinstance(values, str) or len(values) == 2 else "ragged") for line, values in rows]


@settings(max_examples=400, deadline=None)
@given(data=st.data(), writing=writings(), encoding=ENCODINGS, block=st.sampled_from([2, 4, 64]))
def test_any_text_in_any_dialect_is_read_in_pages_as_a_character_at_a_time(
    data: st.DataObject, writing: Writing, encoding: tuple[str, bytes], block: int
) -> None:
    text = data.draw(texts(writing))
    codec, mark = encoding
    options = options_of(writing, codec)
    with scratch(mark + text.encode(codec)) as path:
        whole = read_in_pages(path, 1000, options)
        assert [plainly(row) for row in whole] == expected(text, writing)
        with patch.object(record_borders, "BLOCK_BYTES", block):
            assert read_in_pages(path, 1, options) == whole
        with patch.object(page_records, "MOST_BYTES", block), patch.object(page_records, "LEAST_BYTES", 2):
            assert read_in_pages(path, 3, options) == whole


@settings(max_examples=200, deadline=None)
@given(data=st.data(), writing=writings(), limit=st.integers(8, 20), block=st.sampled_from([2, 4, 64]))
def test_where_records_are_too_long_pages_are_still_the_whole(
    data: st.DataObject, writing: Writing, limit: int, block: int
) -> None:
    text = data.draw(texts(writing))
    options = options_of(writing, "utf-8", max_record_bytes=limit, max_field_bytes=limit)
    with scratch(text.encode()) as path:
        try:
            whole = read_in_pages(path, 1000, options)
        except InvalidCsv:
            return  # blank lines and the header are all there is room for
        for size in (1, 2):
            with patch.object(record_borders, "BLOCK_BYTES", block):
                assert read_in_pages(path, size, options) == whole
