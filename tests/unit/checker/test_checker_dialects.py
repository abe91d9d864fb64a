"""The independent checker reads the files of a feed as the feed says, and finds what is wrong in them as in others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_work import FinishedWork
from forging import forge

from daemon.checker.result import check_result
from workflows.models import CsvOptions

ROWS = 'id;name;country\n1;"Smith; Anna";US\n2;B"o"b;DE\n3;short\n4;"two\nlines";US\n\n5;Gus;FR;more\n6;Zoë;DE\n'
SINGLE = ROWS.replace('"', "'")

FEEDS = {
    "a bare quote and a short record": (ROWS, CsvOptions()),
    "bare quotes rejected": (ROWS, CsvOptions(bare_quotes="reject")),
    "short rows padded": (ROWS, CsvOptions(short_rows="pad")),
    "single quotes": (SINGLE, CsvOptions(quote="'")),
    "single quotes, bare ones rejected": (SINGLE, CsvOptions(quote="'", bare_quotes="reject")),
    "no quotes": (ROWS, CsvOptions(quote="", delimiter=";")),
    "no quotes, short rows padded": (ROWS, CsvOptions(quote="", delimiter=";", short_rows="pad")),
    "no header": (ROWS.split("\n", 1)[1], CsvOptions(has_header=False)),
    "names from outside": (
        ROWS.split("\n", 1)[1],
        CsvOptions(has_header=False, column_names=("id", "name", "country")),
    ),
    "lines before and a footer behind": (
        "a report\n\n" + ROWS + "Total;6;rows\n\n",
        CsvOptions(skip_lines=2, footer="Total.*"),
    ),
    "tabs": (ROWS.replace(";", "\t"), CsvOptions()),
    "CR alone": (ROWS.replace("\n", "\r"), CsvOptions()),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("feed", FEEDS)
def test_files_of_every_feed_it_reads_are_judged(tmp_path: Path, feed: str, encoding: str) -> None:
    text, options = FEEDS[feed]
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    work = FinishedWork(tmp_path / "made", (mark + text).encode(encoding), options=options)
    work.work()
    work.finish()
    assert check_result(work.directory, work.source) == []

    chunk = work.directory / "chunk-000001.json"
    rows = json.loads(chunk.read_bytes())
    column = next(iter(rows[0]))
    chunk.write_text(json.dumps([{**rows[0], column: "another"}, *rows[1:]]))
    assert any("does not hold the cells" in each.what for each in check_result(work.directory, work.source))


@pytest.mark.parametrize(
    "written", [{"escape": "\\"}, {"delimiter": "||"}, {"trim": True}, {"comment": "#"}, {"trailing_delimiter": True}]
)
def test_a_dialect_that_it_does_not_read_is_said_and_not_judged(tmp_path: Path, written: dict[str, object]) -> None:
    work = FinishedWork(tmp_path / "made")
    work.work()
    work.finish()
    forge(work, lambda manifest: manifest["dialect"].update(written))
    [found] = check_result(work.directory, work.source)
    assert "are not read by this program" in found.what
