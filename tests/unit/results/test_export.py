from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from finished_work import FinishedWork

from daemon.results.export import export_rows
from workflows.errors import OutputRefused


def exported(work: FinishedWork, fmt: Any, *, formula_safe: bool = False) -> bytes:
    out = io.BytesIO()
    export_rows(work.directory, out, fmt, formula_safe=formula_safe)
    return out.getvalue()


def table(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_json_lines_are_the_rows_as_they_stand_in_the_chunks(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    lines = exported(work, "jsonl").splitlines()
    rows = [
        row for number in (1, 2, 3) for row in json.loads((work.directory / f"chunk-00000{number}.json").read_bytes())
    ]
    assert [json.loads(each) for each in lines] == rows
    assert [row["_row"] for row in rows] == [1, 2, 4, 5, 6, 7]


def test_csv_has_every_column_any_row_has(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)

    def answer(number: int, _: object) -> tuple[dict[str, Any] | None, str | None]:
        answers: dict[int, dict[str, Any]] = {1: {"zone": {"a": 1}}, 6: {"area": None, "big": True}}
        return (None, "timeout") if number == 2 else (answers.get(number, {}), None)

    work.run(answer)
    rows = table(exported(work, "csv"))
    assert rows[0] == ["id", "name", "country", "_row", "enriched", "area", "big", "region", "zone", "error"]
    assert rows[1] == ["1", "Smith, Anna", "US", "1", "true", "", "", "", '{"a":1}', ""]
    assert rows[2] == ["2", "Bob", "DE", "2", "false", "", "", "UNKNOWN", "", "timeout"]
    assert rows[3][1] == "two\nlines"
    assert rows[5] == ["6", "Zoë", "DE", "6", "true", "", "true", "", "", ""]
    assert len(rows) == 7


def test_what_a_spreadsheet_would_run_is_defused_on_request_only(tmp_path: Path) -> None:
    cells = ["=1+2", "+cmd|x", "@SUM(A1)", "-1+2", "-5", "+1.5e3", "a=b", "", "\tx"]
    work = FinishedWork(tmp_path, "id,=cell\n" + "".join(f'{number},"{cell}"\n' for number, cell in enumerate(cells)))
    work.run(lambda *_: ({}, None))
    plain = [row[1] for row in table(exported(work, "csv"))]
    assert plain == ["=cell", *cells]
    safe = [row[1] for row in table(exported(work, "csv", formula_safe=True))]
    assert safe == ["'=cell", "'=1+2", "'+cmd|x", "'@SUM(A1)", "'-1+2", "-5", "+1.5e3", "a=b", "", "'\tx"]


def test_csv_survives_line_ends_and_quotes_in_cells(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, 'id,text\r\n1,"a\rb"\r\n2,"say ""hi"""\r\n3,"x\r\ny"\r\n')
    work.run(lambda *_: ({}, None))
    assert [row[1] for row in table(exported(work, "csv"))] == ["text", "a\rb", 'say "hi"', "x\r\ny"]


def test_the_newest_generation_is_exported(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    work.retry()
    rows = [json.loads(each) for each in exported(work, "jsonl").splitlines()]
    assert [row["region"] for row in rows] == ["NA", "LATER", "NA", "LATER", "INTL", "NA"]
    assert table(exported(work, "csv"))[0][-1] == "region", "no row has an error any more"


def test_a_result_without_rows_is_a_header(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, "a,b\n")
    work.run()
    assert exported(work, "csv") == b"a,b,_row,enriched\r\n"
    assert exported(work, "jsonl") == b""


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_a_result_that_is_not_whole_is_not_exported_as_if_it_were(tmp_path: Path, fmt: str) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    with pytest.raises(OutputRefused, match=r"manifest\.json"):
        exported(work, fmt)
    work.run()
    chunk = work.directory / "chunk-000002.json"
    chunk.write_bytes(chunk.read_bytes()[:-30])
    with pytest.raises(OutputRefused):
        exported(work, fmt)
    chunk.unlink()
    with pytest.raises(OutputRefused, match="chunk-000002"):
        exported(work, fmt)


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
@pytest.mark.parametrize("generation", [1, 2])
def test_a_chunk_that_is_not_what_the_manifest_lists_is_named_when_it_has_been_read(
    tmp_path: Path, fmt: str, generation: int
) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    if generation > 1:
        work.retry()
    chunk = work.directory / ("chunk-000002.json" if generation == 1 else "chunk-000002-g2.json")
    chunk.write_bytes(chunk.read_bytes().replace("Zoë".encode(), b"Zoe!"))
    with pytest.raises(OutputRefused, match=chunk.name):
        exported(work, fmt)


def test_a_chunk_of_an_older_generation_does_not_matter(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    work.retry()
    (work.directory / "chunk-000002.json").unlink()
    assert len(exported(work, "jsonl").splitlines()) == 6


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_a_manifest_that_is_not_what_its_own_digest_says_is_not_exported(tmp_path: Path, fmt: str) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    manifest = work.directory / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"name","country"', b'"country","name"'))
    with pytest.raises(OutputRefused, match=r"manifest\.json"):
        exported(work, fmt)


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_a_list_of_something_else_than_rows_is_refused(tmp_path: Path, fmt: str) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    (work.directory / "chunk-000001.json").write_bytes(b"[\n7\n]\n")
    with pytest.raises(OutputRefused, match=r"chunk-000001\.json"):
        exported(work, fmt)
