"""Any settings of a dialect, any text: read in pages as read whole, and as by a reader a character at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from csv_pages import PAGE_SIZES, read_in_pages, tolerated_in_all
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reading import Writing, slow_part, slow_reading, slow_records, slow_tolerated

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
    trim = draw(st.booleans())
    delimiters = [each for each in DELIMITERS if not trim or each == "\t" or each == each.strip()]
    return Writing(
        delimiter=draw(st.sampled_from(delimiters)),
        quote=draw(st.sampled_from(['"', "'", ""])),
        escape=draw(st.sampled_from(["", "\\"])),
        comment=draw(st.sampled_from(["", "#", "//", "§a"])),
        trim=trim,
        bare_quotes=draw(st.sampled_from(["accept", "reject"])),
    )


@st.composite
def texts(draw: st.DrawFn, writing: Writing) -> str:
    """A text whose first record is a header of two sound names, which are unlike anything behind them."""
    quote, delimiter = writing.quote, writing.delimiter
    marks = [delimiter, delimiter + quote, quote + delimiter, quote, writing.escape + quote, "\n" + writing.comment]
    many_lines = [f"{quote}a{writing.escape}\n{quote}{end}" for end in ("", "b", delimiter, delimiter[:1], " ")]
    pieces = st.sampled_from([*PIECES, *marks, *marks, *many_lines])
    return f"x{delimiter}y\n" + "".join(draw(st.lists(pieces, max_size=24)))


def options_of(writing: Writing, encoding: str, **limits: int) -> CsvOptions:
    return CsvOptions(
        encoding=encoding,
        delimiter=writing.delimiter,
        quote=writing.quote,
        escape=writing.escape,
        comment=writing.comment,
        trim=writing.trim,
        bare_quotes=writing.bare_quotes,
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


def expected(rows: list[tuple[int, list[str] | str]], width: int = 2) -> list[tuple[int, list[str] | str]]:
    """Return what becomes of rows under a header of `width` names."""
    return [(line, values if isinstance(values, str) or len(values) == width else "ragged") for line, values in rows]


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
        assert [plainly(row) for row in whole] == expected(slow_reading(text, writing)[1:])
        with patch.object(record_borders, "BLOCK_BYTES", block):
            assert read_in_pages(path, 1, options) == whole
        with patch.object(page_records, "MOST_BYTES", block), patch.object(page_records, "LEAST_BYTES", 2):
            assert read_in_pages(path, 3, options) == whole


@settings(max_examples=400, deadline=None)
@given(data=st.data(), writing=writings(), encoding=ENCODINGS, block=st.sampled_from([2, 64]), plain=st.booleans())
def test_in_any_dialect_pages_of_any_size_tolerate_together_what_a_slow_reader_counts_in_the_whole(
    data: st.DataObject, writing: Writing, encoding: tuple[str, bytes], block: int, plain: bool
) -> None:
    writing = Writing(delimiter=writing.delimiter) if plain else writing
    text = data.draw(texts(writing))
    codec, mark = encoding
    options = options_of(writing, codec)
    records = slow_records(text, writing)[1:]
    with scratch(mark + text.encode(codec)) as path:
        for page_rows in PAGE_SIZES:
            assert tolerated_in_all(path, page_rows, options) == slow_tolerated(records)
            with (
                patch.object(record_borders, "BLOCK_BYTES", block),
                patch.object(page_records, "MOST_BYTES", block),
                patch.object(page_records, "LEAST_BYTES", 2),
            ):
                assert tolerated_in_all(path, page_rows, options) == slow_tolerated(records)


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
            tolerated = tolerated_in_all(path, 1000, options)
        except InvalidCsv:
            return  # blank lines and the header are all there is room for
        for size in (1, 2):
            with patch.object(record_borders, "BLOCK_BYTES", block):
                assert read_in_pages(path, size, options) == whole
                assert tolerated_in_all(path, size, options) == tolerated


@settings(max_examples=300, deadline=None)
@given(
    data=st.data(),
    writing=writings(),
    encoding=ENCODINGS,
    header=st.sampled_from([True, False, ("first", "second", "third")]),
    pads=st.booleans(),
)
def test_any_lines_before_and_behind_the_records_are_left_out(
    data: st.DataObject, writing: Writing, encoding: tuple[str, bytes], header: bool | tuple[str, ...], pads: bool
) -> None:
    pieces = st.sampled_from(["a", '"', "#", " ", "é", writing.delimiter])
    before = data.draw(st.lists(st.lists(pieces, max_size=4).map("".join), max_size=3))
    behind = data.draw(st.lists(st.sampled_from(["", "Total: 7", "Total: é", " ", "a", '"Total: 7"']), max_size=4))
    newline = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = "".join(each + newline for each in before) + data.draw(texts(writing)) + newline + newline.join(behind)
    codec, mark = encoding
    options = replace(
        options_of(writing, codec),
        skip_lines=len(before),
        footer="Total: .",
        has_header=header is True,
        column_names=header if isinstance(header, tuple) else (),
        short_rows="pad" if pads else "reject",
    )
    start, end = slow_part(text, len(before), options.footer)
    records = slow_records(text[:end], writing, start)
    rows = [(each.line, each.values) for each in records]
    with scratch(mark + text.encode(codec)) as path:
        try:
            found = read_in_pages(path, 2, options)
            tolerated = tolerated_in_all(path, 2, options)
        except InvalidCsv:
            assert not rows or isinstance(rows[0][1], str), "there is no first record, or it is a bad one"
            return
    first = rows[0][1] if not isinstance(header, tuple) else [*header]
    assert isinstance(first, list)
    assert tolerated == slow_tolerated(records[1:] if header is True else records)
    rows = rows[1:] if header is True else rows
    if pads:
        rows = [
            (line, each if isinstance(each, str) else each + [""] * (len(first) - len(each))) for line, each in rows
        ]
    assert [plainly(row) for row in found] == expected(rows, len(first))
