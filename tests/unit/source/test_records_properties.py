"""Any table, any dialect, any bytes: the same records at any page size as by another reader."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from csv_pages import PAGE_SIZES, read_in_pages
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.source import reader as page_records
from activities.source import scanner as record_borders
from activities.source.grammar import RECORD_RULES, fields_pattern, record_pattern
from activities.source.reader import PageRecords
from activities.source.source_file import Record, Rejected, SourceFile
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions, Cursor

CELLS = st.text(st.sampled_from("ab1é€\U0001f600 '\",;|\t\r\n\ufeff"), max_size=6)
LATIN_CELLS = st.text(st.sampled_from("ab1é€ '\",;|\t\r\n"), max_size=6)
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])
ENCODINGS = st.sampled_from(
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
)
PIECES = [
    b'"',
    b'""',
    b'"""',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"a",
    b"xyz",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b" ",
    b',"',
    b'",',
]
LINES_AT_ONCE = st.sampled_from([(2, 2), (8, 2), (64, 4)])
quick = settings(max_examples=60, deadline=None)


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[str] = CELLS) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=0, max_size=12))


def written(table: list[list[str]], delimiter: str, newlines: Callable[[], str], quote_all: bool) -> str:
    header = [f"c{at}" for at in range(len(table[0]) if table else 2)]
    return "".join(_line(row, delimiter, quote_all) + newlines() for row in [header, *table])


def _line(row: list[str], delimiter: str, quote_all: bool) -> str:
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in row]
    plain = row != [""] and not quote_all
    return delimiter.join(
        cell if plain and not re.search(f'["\r\n{delimiter}]', cell) else safe
        for cell, safe in zip(row, quoted, strict=True)
    )


def other_reading(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Line and values of each record by Python's csv over the whole text, header and blank lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[tuple[int, list[str]]] = []
    line = 1
    for values in reader:
        found += [(line, values)] if values else []
        line = reader.line_num + 1
    return found[1:]


@contextmanager
def scratch(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        path.write_bytes(content)
        yield path


@quick
@given(table=tables(), delimiter=DELIMITERS, encoding=ENCODINGS, quote_all=st.booleans(), data=st.data())
def test_any_table_in_any_dialect_reads_as_written_and_as_pythons_csv_reads_it(
    table: list[list[str]], delimiter: str, encoding: tuple[str, bytes], quote_all: bool, data: st.DataObject
) -> None:
    ends = data.draw(st.lists(NEWLINES, min_size=len(table) + 1, max_size=len(table) + 1))
    blanks = data.draw(st.sampled_from(["", "\n", "\r\n\r\n"]))
    left = iter(ends)
    text = written(table, delimiter, lambda: next(left) + blanks, quote_all)
    codec, mark = encoding
    options = CsvOptions(delimiter="tab" if delimiter == "\t" else delimiter)
    with scratch(mark + text.encode(codec)) as path:
        for size in PAGE_SIZES:
            rows = read_in_pages(path, size, options)
            assert [row.values for row in rows if isinstance(row, Record)] == table
            assert [(row.line, row.values) for row in rows if isinstance(row, Record)] == other_reading(text, delimiter)
            with lines_at_once(*data.draw(LINES_AT_ONCE)):
                assert read_in_pages(path, size, options) == rows


@quick
@given(table=tables(LATIN_CELLS), delimiter=DELIMITERS, newline=NEWLINES)
def test_any_cp1252_table_reads_as_written_when_the_encoding_is_set(
    table: list[list[str]], delimiter: str, newline: str
) -> None:
    text = written(table, delimiter, lambda: newline, quote_all=False)
    options = CsvOptions(encoding="cp1252", delimiter="tab" if delimiter == "\t" else delimiter)
    with scratch(text.encode("cp1252")) as path:
        for size in PAGE_SIZES:
            assert [row.values for row in read_in_pages(path, size, options) if isinstance(row, Record)] == table


def slow_reading(content: bytes, limit: int, rules: int) -> list[tuple[int, str]]:
    """Offset and fault of each record, by a byte-at-a-time reading of the rules; `content` starts at a border."""
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(content):
        if content[at] in b"\r\n":
            at += 1
            continue
        end, quote, fault = _slow_end(content, at, at + limit, rules)
        if end is None:
            end = _slow_line_end(content, at + limit if quote is None else quote)
            fault = fault or ("record_too_large" if quote is None or end > at + limit else "unclosed_quote")
            end = _slow_line_end(content, at + limit) if fault == "record_too_large" else end
        found.append((at, fault))
        at = end
    return found


def _slow_line_end(content: bytes, at: int) -> int:
    return next((i for i in range(at, len(content)) if content[i] in b"\r\n"), len(content))


def _slow_end(content: bytes, at: int, limit: int, rules: int) -> tuple[int | None, int | None, str]:
    """Return where the record at `at` ends (None: not up to `limit`), the quote that is at fault, and its fault.

    The quote is the one open at `limit`, or one too many, which is a fault that needs no more of the record.
    """
    state = "start"
    quote = at
    for i in range(at, min(limit, len(content)) + 1):
        char = content[i : i + 1]
        if state != "quoted" and (not char or char in b"\r\n"):
            return i, None, ""
        if i == limit or not char:
            break
        if state == "quoted":
            state = "closed" if char == b'"' else "quoted"
        elif char == b",":
            state = "start"
        elif char == b'"' and state in {"start", "closed"}:
            quote = i if state == "start" else quote
            state = "quoted"
        else:
            if state == "closed" and rules > 1 and re.search(rb"[\r\n]", content[quote:i]):
                return None, quote, "bad_quote"
            state = "text"
    return None, quote if state == "quoted" else None, ""


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=40),
    limit=st.integers(4, 20) | st.just(1_000),
    block=st.sampled_from([2, 4, 64]),
    at_once=LINES_AT_ONCE,
    rules=st.sampled_from([1, RECORD_RULES]),
)
def test_any_bytes_have_the_same_borders_at_any_page_size_and_block_size_as_by_a_slow_reading(
    pieces: list[bytes], limit: int, block: int, at_once: tuple[int, int], rules: int
) -> None:
    content = b"".join(pieces)
    options = CsvOptions(encoding="cp1252", delimiter=",", max_record_bytes=limit, max_field_bytes=limit)
    with scratch(b"a,b\n" + content) as path, by_rules(rules):
        whole = read_in_pages(path, 1000, options)
        with patch.object(record_borders, "BLOCK_BYTES", block):
            assert read_in_pages(path, 2, options) == whole
            with SourceFile.open(path, options) as source:
                assert source.dialect.record_rules == rules
                pages = source.find_pages(Cursor(), page_rows=1, max_pages=1000).pages
        for size in PAGE_SIZES:
            with lines_at_once(*at_once):
                assert read_in_pages(path, size, options) == whole
            with patch.object(PageRecords, "_sound_lines", lambda *_: None):
                assert read_in_pages(path, size, options) == whole
    expected = slow_reading(content, limit, rules)
    starts = [start for start, _ in expected]
    assert [page.source_start - 4 for page in pages][1:] == starts[1:]
    assert [row.line for row in whole] == [2 + len(re.findall(rb"\r\n|[\r\n]", content[:start])) for start in starts]
    reasons = [row.reason if isinstance(row, Rejected) else "" for row in whole]
    structural = {"unclosed_quote", "record_too_large"}
    for reason, (_, fault) in zip(reasons, expected, strict=True):
        assert reason == fault if fault or reason in structural else reason not in structural


@contextmanager
def lines_at_once(most_bytes: int, least_bytes: int) -> Iterator[None]:
    """Read sound lines at once in blocks so short that many borders are between them."""
    with (
        patch.object(page_records, "MOST_BYTES", most_bytes),
        patch.object(page_records, "LEAST_BYTES", least_bytes),
    ):
        yield


@contextmanager
def by_rules(rules: int) -> Iterator[None]:
    """Read every file as one that was claimed when these rules held."""
    found = SourceFile.open

    def opened(path: Path, options: CsvOptions) -> SourceFile:
        source = found(path, options)
        source.dialect = replace(source.dialect, record_rules=rules)
        return source

    with patch.object(SourceFile, "open", opened):
        yield


@settings(max_examples=200, deadline=None)
@given(
    header=st.sampled_from([b"", b"a,b\n", b"\xff\xfea\0;\0b\0\n\0", b"\xef\xbb\xbfa\tb\r"]),
    content=st.binary(max_size=200) | st.lists(st.sampled_from([*PIECES, b"\0", b";", b"\t"])).map(b"".join),
    options=st.sampled_from([CsvOptions(), CsvOptions(max_record_bytes=64, max_field_bytes=16)]),
)
def test_any_bytes_at_all_are_read_or_refused_with_a_word(header: bytes, content: bytes, options: CsvOptions) -> None:
    with scratch(header + content) as path:
        try:
            whole = read_in_pages(path, 1000, options)
        except InvalidCsv:
            return
        for size in PAGE_SIZES:
            assert read_in_pages(path, size, options) == whole
        with patch.object(PageRecords, "_sound_lines", lambda *_: None):
            assert read_in_pages(path, 3, options) == whole


class Counting:
    """A pattern that counts the bytes it looks at."""

    def __init__(self, pattern: re.Pattern[bytes], seen: list[int]) -> None:
        self._pattern, self._seen = pattern, seen

    def match(self, units: bytes, start: int, end: int) -> re.Match[bytes] | None:
        found = self._pattern.match(units, start, end)
        self._seen.append((end if found is None else found.end()) - start)
        return found


@pytest.mark.parametrize(
    "line",
    [
        b'"abc\n',
        b'x,"""\n',
        b'""\n',
        b'a,""\n',
        b'a,"\n""\n',
        b'"a"b,"\n',
        b'"\n' + b"a\n" * 99,
        b'"a"b,"' + b"\n" * 9,
        b'"x"y,"\n',
        b'1,"Anna""\n',
        b'1,"Anna""\n' + b'2,"""",x\n' * 99,
        b'"\n""\n"x,"\n',
        b'"\\\n"x\n',
        b'a, \\"\n',
    ],
)
@pytest.mark.parametrize("limit", [64, 65_536])
@pytest.mark.parametrize("options", [CsvOptions(), CsvOptions(escape="\\", trim=True, comment="#")])
def test_stray_quotes_cost_work_in_proportion_to_the_file(
    tmp_path: Path, line: bytes, limit: int, options: CsvOptions
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a,b\n" + line * (500_000 // len(line)))
    seen: list[int] = []
    with (
        patch.object(record_borders, "record_pattern", lambda *given: Counting(record_pattern(*given), seen)),
        patch.object(record_borders, "fields_pattern", lambda *given: Counting(fields_pattern(*given), seen)),
        SourceFile.open(path, replace(options, max_record_bytes=limit)) as source,
    ):
        source.find_pages(Cursor(), page_rows=10_000_000, max_pages=1)
    assert sum(seen) < 8 * path.stat().st_size
