"""Rows that the API has nothing on, as operators see them; where there are none, no output has a word of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import FinishedWork
from stub_activities import request

from activities.file_source import file_source
from daemon.batchctl.commands.status import format_state
from daemon.batchctl.progress.bars import facts
from daemon.batchctl.state.batch_view import BatchView
from daemon.batchctl.state.loaders import from_chunks
from workflows.api_spec import ApiSpec
from workflows.current_details import current_details
from workflows.models import Counts, Waiting
from workflows.requests import FileSource
from workflows.state import LiveBatch, Progress

PEOPLE = ApiSpec(name="people", method="GET", url="https://api.example.com/person{?name}", fallback={"title": ""})
COUNTS = Counts(records=1_010, enriched=3, not_found=1_002, fallback=4, rejected=1)


def nothing_on_two(number: int, _: dict[str, str]) -> tuple[dict[str, Any] | None, str | None]:
    """Answer all rows but 2 and 5, on which there is nothing, and 6, which fails."""
    return (None, "not_found" if number % 3 == 2 else "http_500") if number in {2, 5, 6} else ({"title": "CTO"}, None)


def finished(runner: BatchctlRunner) -> FinishedWork:
    work = FinishedWork(runner.output_root.parent, api=PEOPLE)
    work.run(nothing_on_two)
    runner.completed(id=work.batch.id, source=work.batch.source)
    return work


def test_status_counts_them_apart(runner: BatchctlRunner) -> None:
    runner.completed(counts=COUNTS)
    assert "3 enriched, 1,002 not found, 4 fallback, 1 rejected\n" in runner.run("status", "users.csv").out
    rows = runner.run("status", "users.csv", "--json").json()["rows"]
    assert rows == {"total": 1_010, "done": 1_010, "enriched": 3, "not_found": 1_002, "fallback": 4, "rejected": 1}


def test_list_has_a_column_of_them_only_where_a_batch_has_some(runner: BatchctlRunner) -> None:
    runner.completed("old.csv", id="old-000000000001")
    assert "NOT FOUND" not in runner.run("list").out
    runner.completed(counts=COUNTS)
    heading, *lines = runner.run("list").out.splitlines()
    ends = heading.index("NOT FOUND") + len("NOT FOUND")
    assert sorted(line[:ends].split()[-1] for line in lines) == ["0", "1,002"]
    assert heading.split("NOT FOUND")[1].split()[0] == "FALLBACK"


def test_the_end_of_a_batch_and_its_progress_name_them(runner: BatchctlRunner) -> None:
    runner.completed(counts=COUNTS)
    assert "(1,010 rows, 1,002 not found, 4 fallback, 1 rejected)" in runner.run("wait", "users.csv").err
    assert facts(BatchView(id="a", state="running", counts=COUNTS))[1] == "1,002 not found"


def _page(progress: Progress) -> str:
    return current_details(progress, LiveBatch(request(), "cursor"), output_dir="", now=datetime.now(tz=UTC))


def test_temporals_page_and_the_log_name_them_only_where_there_are_some(
    runner: BatchctlRunner, caplog: pytest.LogCaptureFixture
) -> None:
    progress = Progress(
        state="running", mode="cursor", counts=COUNTS, total_rows=None, done_bytes=1, size_bytes=2, started_at=""
    )
    assert "- 3 enriched, 1,002 not found, 4 fallback, 1 rejected\n" in _page(progress)
    without = replace(progress, counts=replace(COUNTS, not_found=0))
    assert "- 3 enriched, 4 fallback, 1 rejected\n" in _page(without)

    work = FinishedWork(runner.inbox.parent)
    runner.receipt(id=work.batch.id, source=work.batch.source)
    (runner.inbox / ".processing" / work.batch.id).mkdir(parents=True)
    with caplog.at_level("INFO"):
        end = FileSource(batch=work.batch, outcome="completed", counts=COUNTS, manifest="manifest.json")
        file_source(runner.inbox, runner.receipts, end)
    [ended] = [each for each in caplog.records if each.getMessage() == "batch.completed"]
    logged = {key: value for key, value in ended.__dict__["fields"].items() if key not in {"id", "file"}}
    assert list(logged.items()) == [("rows", 1_010), ("not_found", 1_002), ("fallback", 4), ("rejected", 1)]


def test_verify_adds_them_up(runner: BatchctlRunner) -> None:
    work = finished(runner)
    said = runner.run("verify", work.batch.id).out
    assert "VERIFIED: 7 records = 3 enriched + 2 not found + 1 fallback + 1 rejected; " in said
    assert runner.run("verify", work.batch.id, "--json").json()["not_found"] == 2


def test_a_proof_without_them_has_no_word_of_them(runner: BatchctlRunner) -> None:
    work = FinishedWork(runner.output_root.parent)
    work.run()
    for arguments in (["verify"], ["verify", "--json"], ["status"], ["status", "--json"]):
        said = runner.run(arguments[0], work.batch.id, *arguments[1:]).out
        assert "fallback" in said
        assert "not found" not in said.replace("_", " ")


def test_chunks_without_a_manifest_count_them(runner: BatchctlRunner) -> None:
    work = FinishedWork(runner.output_root.parent, api=PEOPLE)
    work.work(answer=nothing_on_two)
    view = from_chunks(work.directory)
    assert view is not None
    assert view.counts == Counts(records=7, enriched=3, not_found=2, fallback=1, rejected=1)


def test_retry_failed_says_that_they_are_never_called_again(runner: BatchctlRunner) -> None:
    work = finished(runner)
    work.retry()
    answer = runner.run("retry-failed", work.batch.id)
    assert answer.code == 0
    assert "has no fallback rows; there is nothing to retry (2 rows that were not found have their answer" in answer.err
    assert "are not called again)" in answer.err


def test_an_export_holds_them_with_their_source_and_error(runner: BatchctlRunner) -> None:
    work = finished(runner)
    table = runner.run("export", work.batch.id, "--csv").out.splitlines()
    assert table[0] == "id,name,country,_row,enriched,title,error"
    assert "2,Bob,DE,2,false,,not_found" in table
    lines = [json.loads(line) for line in runner.run("export", work.batch.id, "--jsonl").out.splitlines()]
    assert lines[1] == {"id": "2", "name": "Bob", "country": "DE", "_row": 2, "enriched": False, "error": "not_found"}


def waiting(seconds: float) -> BatchView:
    until = (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat()
    wait = Waiting(on="api", since="2026-11-25T18:00:00+00:00", until=until, detail="OVER_QUERY_LIMIT")
    return BatchView(id="a", state="waiting", waiting_on="api", waiting=wait)


def test_a_long_wait_says_until_when_and_how_long_it_is() -> None:
    view = waiting(9 * 3_600 + 12 * 60)
    assert view.waiting is not None
    until = view.waiting.until[:19].replace("T", " ")
    assert format_state(view) == f"waiting for the API until {until}Z (in 9 h 12 min): OVER_QUERY_LIMIT"
    assert facts(view)[0] == f"waiting for api until {until}Z"


def test_a_short_wait_reads_as_before() -> None:
    assert format_state(waiting(20)).startswith("waiting for the api since 2026-11-25 18:00:00Z, asks again at ")
    assert facts(waiting(20))[0] == "waiting for api"
