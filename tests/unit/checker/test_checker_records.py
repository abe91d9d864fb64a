"""Two readers that share no code find the same records in any bytes, with the same reasons on the same lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from csv_pages import read_in_pages, tolerated_in_all
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from activities.source.source_file import Record, SourceFile
from daemon.checker.records import Form, read_records
from workflows.models import CsvOptions

PIECES = ['"', '""', '"""', ",", "\n", "\r", "\r\n", "a", "xyz", "\0", "é", " ", ',"', '",', "\xff"]
BROKEN = "\xff"
"""Stands for a byte that is not of the encoding."""


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=30),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    max_record_bytes=st.sampled_from([12, 20, 1_000]),
    max_field_bytes=st.sampled_from([3, 6, 1_000]),
)
def test_both_readers_find_the_same_records_in_any_bytes(
    tmp_path: Path, pieces: list[str], encoding: str, max_record_bytes: int, max_field_bytes: int
) -> None:
    text = "a,b\n" + "".join(pieces)
    content = b"".join(b"\xff" if each == BROKEN else each.encode(encoding) for each in text)
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    limits = {"max_record_bytes": max_record_bytes, "max_field_bytes": max_field_bytes}
    options = CsvOptions(delimiter=",", encoding=encoding, **limits)
    with SourceFile.open(path, options) as source:
        assume(source.dialect.fields.is_plain)  # else it was found to be written in another way than is judged here
        start, line = source.dialect.data_start, source.dialect.data_line
    rows = read_in_pages(path, 1_000, options)
    theirs = [(row.number, row.line, tuple(row.values) if isinstance(row, Record) else row.reason) for row in rows]
    form = Form(encoding=encoding, **limits)
    ours = list(read_records(content, form, start=start, line=line, width=2))
    assert [(each.number, each.line, each.reason or each.cells) for each in ours] == theirs
    counted = sum(each.blank_lines for each in ours), sum(each.bare_quotes for each in ours)
    assert tolerated_in_all(path, 1_000, options) == tolerated_in_all(path, 2, options) == counted


@pytest.mark.parametrize(("content", "starts"), [(b"a,b\n\n1,2\n\n3,4", [5, 10]), (b"a,b\r\n1,2\r\n3,4\r\n", [5, 10])])
def test_a_record_names_the_bytes_it_stands_on(content: bytes, starts: list[int]) -> None:
    found = list(read_records(content, Form(), start=content.index(b"1"), line=2, width=2))
    assert [each.start for each in found] == starts
    assert found[-1].end == len(content)
