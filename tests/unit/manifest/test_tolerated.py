"""Blank lines and bare quotes: counted by the page, summed over the file, and held against the source again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from finished_work import FinishedWork
from forging import failed, forge
from repository import ROOT

from activities.output.names import part_name
from daemon.checker.result import check_result
from workflows.api_spec import ApiSpec
from workflows.models import Control

SCHEMA = json.loads((ROOT / "docs" / "manifest.schema.json").read_text())
API = ApiSpec(name="people", url="https://api.example.com/person", fallback={"region": ""})
CSV = '\n\nid,name\n\n1,5" nail\n\n\n2,"a ""b"""\n3,a"b"c\n\r\n4,x\n5"\n6,"y"z\n\n\n'
"""Two lines blank above the header and one below; a bare quote in rows 1, 3 (two) and 5, which is ragged; 6 is bad."""


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    finished = FinishedWork(tmp_path, CSV, page_rows=2, api=API)
    finished.run()
    return finished


def manifest(work: FinishedWork, name: str = "manifest.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((work.directory / name).read_bytes())
    return found


def tolerated(blank_lines: int, bare_quotes: int) -> dict[str, int]:
    return {"blank_lines": blank_lines, "bare_quotes": bare_quotes}


def test_they_stand_with_each_chunk_and_their_sums_with_the_manifest(work: FinishedWork) -> None:
    found = manifest(work)
    assert [each["tolerated"] for each in found["chunks"]] == [tolerated(2, 1), tolerated(1, 2), tolerated(2, 1)]
    assert found["tolerated"] == tolerated(5, 4)
    jsonschema.validate(found, SCHEMA)


def test_they_hold_against_the_source_by_both_readers(work: FinishedWork) -> None:
    assert failed(work, work.source) == {}
    assert check_result(work.directory, work.source) == []


def test_a_later_generation_keeps_them(work: FinishedWork) -> None:
    work.retry(answer=lambda *_: (None, "http_500"))
    before, after = manifest(work), manifest(work, "manifest-g2.json")
    assert after["tolerated"] == before["tolerated"]
    assert [each["tolerated"] for each in after["chunks"]] == [each["tolerated"] for each in before["chunks"]]
    assert failed(work, work.source) == {}


def test_of_a_cancelled_batch_they_are_those_of_the_pages_that_were_done(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, CSV, page_rows=2, api=API)
    work.work(work.pages[:2])
    work.finish(cancelled=Control())
    assert manifest(work)["tolerated"] == tolerated(3, 3)
    assert failed(work, work.source) == {}
    assert check_result(work.directory, work.source) == []


def test_a_file_without_records_has_none(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, "\nid,name\n\n\n", api=API)
    work.run()
    assert manifest(work)["tolerated"] == tolerated(0, 0)
    assert failed(work, work.source) == {}


def test_version_1_does_not_know_them(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, CSV, page_rows=2)
    work.run()
    assert "tolerated" not in json.dumps(manifest(work))
    assert failed(work, work.source) == {}


def test_where_an_earlier_version_has_read_a_page_its_chunk_and_the_sums_lack_them(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, CSV, page_rows=2, api=API)
    work.enrich(work.pages[1])
    part = work.directory / part_name(2)
    part.write_bytes(b"".join(each for each in part.read_bytes().splitlines(keepends=True) if b"tolerated" not in each))
    work.run()
    found = manifest(work)
    assert ["tolerated" in each for each in found["chunks"]] == [True, False, True]
    assert "tolerated" not in found
    jsonschema.validate(found, SCHEMA)
    assert failed(work, work.source) == {}
    assert check_result(work.directory, work.source) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["tolerated"].update(blank_lines=6),
        lambda found: found["chunks"][0]["tolerated"].update(bare_quotes=0),
        lambda found: found.pop("tolerated"),
        lambda found: found["chunks"][2].pop("tolerated"),
    ],
)
def test_sums_that_are_none_are_found_without_the_source(
    work: FinishedWork, change: Callable[[dict[str, Any]], object]
) -> None:
    forge(work, change)
    assert failed(work) == {"counts": "what reading has tolerated is not the sums over the chunks"}


def test_a_count_of_the_wrong_form_is_found(work: FinishedWork) -> None:
    forge(work, lambda found: found["chunks"][0]["tolerated"].pop("blank_lines"))
    assert failed(work)["manifest"] == "manifest.json: manifest.chunks[0].tolerated.blank_lines is missing"


@pytest.mark.parametrize("kind", ["blank_lines", "bare_quotes"])
def test_counts_of_another_source_are_found_by_both_readers(work: FinishedWork, kind: str) -> None:
    def one_more(found: dict[str, Any]) -> None:
        for each in (found, found["chunks"][1]):
            each["tolerated"][kind] += 1

    forge(work, one_more)
    assert failed(work) == {}, "nothing in the folder says what the source has"
    told = {"blank_lines": 1, "bare_quotes": 2, kind: {"blank_lines": 2, "bare_quotes": 3}[kind]}
    assert failed(work, work.source)["source"] == (
        "chunk-000002.json: the source has 1 blank lines and 2 bare quotes, "
        f"the manifest says {told['blank_lines']} blank lines and {told['bare_quotes']} bare quotes"
    )
    assert {each.rule for each in check_result(work.directory, work.source)} == {"I3"}
