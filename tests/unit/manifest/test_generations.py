from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from finished_work import FinishedWork, all_well
from repository import ROOT

from activities.disk.failpoints import watched
from activities.manifest.next_generation import fallback_rows, find_fallback_pages, write_generation
from activities.output.row_log import DurableRow, RowLog
from daemon.results.verify import verify
from workflows.errors import OutputRefused
from workflows.models import Control, Cursor
from workflows.requests import LoadPages

SCHEMA = json.loads((ROOT / "docs" / "manifest.schema.json").read_text())


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    finished = FinishedWork(tmp_path)
    finished.run()
    return finished


def pages_to_retry(work: FinishedWork, cursor: Cursor, *, generation: int = 2, max_pages: int = 100) -> Any:
    load = LoadPages(batch=replace(work.batch, generation=generation), cursor=cursor, page_rows=3, max_pages=max_pages)
    with work.open() as folder:
        return find_fallback_pages(folder, load)


def test_only_pages_with_fallback_rows_are_found_a_few_at_a_time(work: FinishedWork) -> None:
    assert [each.number for each in pages_to_retry(work, Cursor()).pages] == [1, 2]
    first = pages_to_retry(work, Cursor(), max_pages=1)
    assert first.pages == [replace(work.pages[0], rejected=1, no_bare_quotes=False)]
    second = pages_to_retry(work, first.next, max_pages=1)
    assert [each.number for each in second.pages] == [2]
    assert second.next is None


def test_the_rows_to_try_again_have_the_source_columns_and_nothing_else(work: FinishedWork) -> None:
    with work.open() as folder:
        rows = list(fallback_rows(folder, work.pages[1], 2))
    assert rows == [(5, {"id": "5", "name": "=1+2", "country": "FR"})]


def test_a_retry_makes_new_chunks_for_the_touched_pages_only_and_keeps_the_old_ones(work: FinishedWork) -> None:
    before = {each.name: each.read_bytes() for each in work.directory.iterdir()}
    written = work.retry()
    assert (written.file, written.status) == ("manifest-g2.json", "complete")
    assert (written.counts.enriched, written.counts.fallback, written.counts.rejected) == (6, 0, 1)
    after = {each.name: each.read_bytes() for each in work.directory.iterdir()}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {
        "chunk-000001-g2.json",
        "chunk-000002-g2.json",
        "manifest-g2.json",
        "manifest-g2.sha256",
    }
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()
    assert verdict.generation == 2


def test_the_new_manifest_names_its_parent_and_has_the_same_form(work: FinishedWork) -> None:
    work.retry()
    parent = json.loads((work.directory / "manifest.json").read_bytes())
    manifest = json.loads((work.directory / "manifest-g2.json").read_bytes())
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest)
    assert manifest["integrity"]["previous"] == parent["integrity"]["digest"]
    assert manifest["parent"]["file"] == "manifest.json"
    assert [each["file"] for each in manifest["chunks"]] == [
        "chunk-000001-g2.json",
        "chunk-000002-g2.json",
        "chunk-000003.json",
    ]
    assert manifest["source"] == parent["source"]
    assert manifest["rejected_files"] == parent["rejected_files"]


def test_sha256sum_checks_the_new_generation_and_the_old_one(work: FinishedWork) -> None:
    work.retry()
    for name in ("manifest.sha256", "manifest-g2.sha256"):
        command = ["sha256sum", "-c", "--quiet", name]
        assert subprocess.run(command, cwd=work.directory, check=False).returncode == 0


def test_rows_that_fail_again_stay_fallback_rows_and_a_third_generation_may_mend_them(work: FinishedWork) -> None:
    def half(number: int, _: object) -> tuple[dict[str, Any] | None, str | None]:
        return (None, "timeout") if number == 5 else ({"region": "LATER"}, None)

    written = work.retry(answer=half)
    assert (written.status, written.counts.by_error) == ("complete_with_fallbacks", {"timeout": 1})
    assert [each.number for each in pages_to_retry(work, Cursor(), generation=3).pages] == [2]
    assert work.retry(3).status == "complete"
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()
    assert verdict.generation == 3


def test_a_retry_with_nothing_to_do_finds_no_pages(work: FinishedWork) -> None:
    work.retry()
    loaded = pages_to_retry(work, Cursor(), generation=3)
    assert (loaded.pages, loaded.next) == ([], None)


def test_a_page_that_was_not_tried_again_is_asked_for(work: FinishedWork) -> None:
    with work.open() as folder:
        written = write_generation(folder, work.request(2), finished_at="", producer_version="0")
    assert written.file is None
    assert [each.number for each in written.damaged] == [1, 2]


def test_a_cancelled_retry_keeps_what_it_did_and_leaves_the_rest(work: FinishedWork) -> None:
    batch = replace(work.batch, generation=2)
    with work.open() as folder:
        rows = list(fallback_rows(folder, work.pages[1], 2))
        with RowLog.open(folder, 2, 2) as part:
            element = b'{"id":"5","name":"=1+2","country":"FR","_row":5,"enriched":true}'
            part.append([DurableRow(row.number, "E", "", ("200",), 1.0, element) for row in rows])
        RowLog.open(folder, 1, 2).close()
    assert work.save(work.pages[1], 2).fallback == 0
    with work.open() as folder:
        request = replace(work.request(2, cancelled=Control(by="ada")), batch=batch)
        written = write_generation(folder, request, finished_at="", producer_version="0")
    assert (written.status, written.counts.fallback) == ("complete_with_fallbacks", 1)
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()


@pytest.mark.parametrize("name", ["chunk-000001.json", "chunk-000003.json", "rejected-000001.json"])
def test_a_retry_does_not_build_on_a_damaged_file(work: FinishedWork, name: str) -> None:
    path = work.directory / name
    path.write_bytes(path.read_bytes().replace(b"a", b"e", 1))
    with pytest.raises(OutputRefused, match=name):
        work.retry()
    assert path.exists()


@pytest.mark.parametrize(
    "name",
    ["chunk-000001.json", "chunk-000001-g2.json", "manifest.json", "manifest-g2.json", "manifest-g2.sha256"],
)
def test_a_flipped_byte_in_any_generation_is_found(work: FinishedWork, name: str) -> None:
    work.retry()
    path = work.directory / name
    content = path.read_bytes()
    for position in range(0, len(content), max(1, len(content) // 25)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        report = " ".join(each.detail for each in verify(work.directory).failed())
        assert name in report, (position, report)


def test_a_lost_parent_is_found(work: FinishedWork) -> None:
    work.retry()
    (work.directory / "manifest.json").unlink()
    report = " ".join(each.detail for each in verify(work.directory).failed())
    assert "manifest.json is missing" in report


def test_a_generation_holds_at_every_step_of_the_retry_after_it_with_a_warning(work: FinishedWork) -> None:
    report: list[str] = []

    def look(_: str) -> None:
        if not (work.directory / "manifest-g2.json").exists():
            verdict = verify(work.directory, source=work.source)
            assert (verdict.ok, verdict.generation) == (True, 1), verdict.failed()
            report.extend(each.detail for each in verdict.checks if each.warning)

    with watched(look):
        work.retry()
    assert len(report) > 20
    assert set(report) == {f"generation 2 is being made or was given up; 'batchctl retry-failed {work.id}' finishes it"}
    assert not [each for each in verify(work.directory).checks if each.warning]


def abandoned(work: FinishedWork) -> None:
    """Leave what a retry leaves that was terminated before its end."""
    with work.open() as folder, RowLog.open(folder, 1, 2):
        pass
    work.retry_page(2)
    assert {".part-000001-g2", ".journal-g2", "chunk-000002-g2.json"} <= {
        each.name for each in work.directory.iterdir()
    }


@pytest.mark.parametrize(
    "name", ["notes.txt", "chunk-000009.json", ".journal", ".part-000001", ".journal-g3", "chunk-000001-g3.json"]
)
def test_what_does_not_belong_to_the_unfinished_generation_is_found_beside_it(work: FinishedWork, name: str) -> None:
    abandoned(work)
    assert verify(work.directory).ok
    (work.directory / name).touch()
    [check] = verify(work.directory).failed()
    assert (check.name, name in check.detail, "-g2" in check.detail) == ("nothing else", True, False)


def test_only_plain_files_pass_for_those_of_an_unfinished_generation(work: FinishedWork) -> None:
    (work.directory / ".journal-g2").mkdir()
    (work.directory / ".part-000001-g2").symlink_to("manifest.json")
    [check] = verify(work.directory).failed()
    assert ".journal-g2" in check.detail
    assert ".part-000001-g2" in check.detail


def test_a_late_attempt_at_a_manifest_takes_nothing_from_the_retry_that_runs(work: FinishedWork) -> None:
    abandoned(work)
    (work.directory / ".tmp-1-retry").touch()
    running = names(work)
    (work.directory / ".part-000003").touch()
    work.finish()
    assert names(work) == running, "what its own generation had left is removed, and nothing else"
    work.retry()
    left = names(work)
    (work.directory / ".journal-g3").touch()
    (work.directory / ".part-000001-g2").touch()
    work.retry()
    assert names(work) == left | {".journal-g3"}
    assert not [each for each in left if each.startswith(".")]


def names(work: FinishedWork) -> set[str]:
    return {each.name for each in work.directory.iterdir()}


def test_a_retry_that_was_given_up_is_finished_by_the_next_one(work: FinishedWork) -> None:
    abandoned(work)
    work.retry()
    verdict = verify(work.directory, source=work.source)
    assert (verdict.ok, verdict.generation) == (True, 2)
    assert not [each for each in verdict.checks if each.warning]


def test_a_generation_is_never_rewritten(work: FinishedWork) -> None:
    first = work.retry()
    content = (work.directory / "manifest-g2.json").read_bytes()
    assert work.retry(answer=all_well) == first
    assert (work.directory / "manifest-g2.json").read_bytes() == content
    assert not [each.name for each in work.directory.iterdir() if each.name.startswith(".")]


def test_a_batch_that_is_not_complete_cannot_be_retried(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    with pytest.raises(OutputRefused, match=r"manifest\.json"):
        pages_to_retry(work, Cursor())
