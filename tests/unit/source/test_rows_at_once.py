"""Records read many at once are those that a reader which shares no code with it reads one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from csv_pages import read_in_pages, tolerated_in_all
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from activities.source import reader, scanner
from activities.source.rows_at_once import rows_at_once
from activities.source.source_file import Record, SourceFile
from daemon.checker.records import Form, read_records
from workflows.models import CsvOptions

SOUND = ["a,b\n", '"a","b"\n', '"a\nx","b"\n', '1,"q""q"\r\n', "1,2\r", '"\r\n",z\r\n', 'é,"é"\n', 'a"b,c\n']
NOT_SOUND = ["\n", '"A"",x\n', '"B"",y\n', "x\n", '"a" ,b\n', 'a,"b\n', "1,\0\n"]


@contextmanager
def short_blocks(block_bytes: int) -> Iterator[None]:
    """Read in blocks so short that many of their borders lie in one file."""
    with (
        patch.object(reader, "MOST_BYTES", 2 * block_bytes),
        patch.object(reader, "LEAST_BYTES", max(2, block_bytes // 8)),
        patch.object(scanner, "BLOCK_BYTES", block_bytes),
    ):
        yield


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(
        st.tuples(st.sampled_from(SOUND), st.integers(1, 9)) | st.tuples(st.sampled_from(NOT_SOUND), st.integers(1, 2)),
        min_size=1,
        max_size=15,
    ),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "latin-1"]),
    limits=st.sampled_from([(30, 30), (200, 20), (100_000, 100_000)]),
    block_bytes=st.sampled_from([16, 64, 65_536]),
    page_rows=st.sampled_from([1, 7, 1_000]),
)
def test_records_read_at_once_are_those_of_another_reader(
    tmp_path: Path,
    runs: list[tuple[str, int]],
    encoding: str,
    limits: tuple[int, int],
    block_bytes: int,
    page_rows: int,
) -> None:
    content = ("a,b\n" + "".join(line * times for line, times in runs)).encode(encoding)
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    most = {"max_record_bytes": limits[0], "max_field_bytes": limits[1]}
    options = CsvOptions(delimiter=",", encoding=encoding, **most)
    with SourceFile.open(path, options) as source:
        assume(source.dialect.fields.is_plain)
        start, line = source.dialect.data_start, source.dialect.data_line
    with short_blocks(block_bytes):
        rows = read_in_pages(path, page_rows, options)
    theirs = [(row.number, row.line, tuple(row.values) if isinstance(row, Record) else row.reason) for row in rows]
    ours = list(read_records(content, Form(encoding=encoding, **most), start=start, line=line, width=2))
    assert [(each.number, each.line, each.reason or each.cells) for each in ours] == theirs
    counted = sum(each.blank_lines for each in ours), sum(each.bare_quotes for each in ours)
    with short_blocks(block_bytes):
        assert tolerated_in_all(path, page_rows, options) == counted


@pytest.mark.parametrize(
    ("text", "rows", "lines", "is_all"),
    [
        ("1,2\n3,4\n", 2, 2, True),
        ('1,"2\n2"\n3,4\n', 2, 3, True),
        ('1,2\n"3,4\n', 1, 1, False),
        ("1,2\n\n3,4\n", 1, 1, False),
        ('"1"x,2\n', 0, 0, False),
    ],
)
def test_they_end_before_the_first_that_is_not_sound(text: str, rows: int, lines: int, is_all: bool) -> None:
    found = rows_at_once(text, ",", 100)
    assert (len(found.rows), found.lines, found.is_all) == (rows, lines, is_all)


def test_no_more_are_read_than_asked_for() -> None:
    assert len(rows_at_once("1,2\n" * 100, ",", 40).rows) == 40
    assert len(rows_at_once('"1\n",2\n' * 100, ",", 40).rows) == 40
