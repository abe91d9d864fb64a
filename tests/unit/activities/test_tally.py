"""Each row, and each end of a batch, is counted once, whoever asks how often for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from claims import Claim
from finished_work import FinishedWork, all_well

from activities.disk.failpoints import watched
from activities.tally import Tally
from workflows.errors import TransientError


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    return FinishedWork(tmp_path)


def outcomes(tally: Tally) -> dict[str, int]:
    return {outcome: rows for (_, outcome), rows in tally.take().rows.items()}


def test_what_was_taken_is_counted_no_more() -> None:
    tally = Tally()
    tally.count_rows("contacts", {"enriched": 3, "fallback": 0})
    tally.count_end("contacts", "failed")
    tally.count_start(0.5)
    first, second = tally.take(), tally.take()
    assert dict(first.rows) == {("contacts", "enriched"): 3}
    assert dict(first.ends) == {("contacts", "failed"): 1}
    assert (sum(first.start_delays.buckets), first.start_delays.sum_s) == (1, 0.5)
    assert (dict(second.rows), dict(second.ends), sum(second.start_delays.buckets)) == ({}, {}, 0)


def test_the_rows_of_a_batch_are_counted_as_its_manifest_counts_them(work: FinishedWork) -> None:
    work.work()
    counts = work.finish().counts
    counted = outcomes(work.tally)
    assert sum(counted.values()) == counts.records
    assert counted == {name: rows for name, rows in counts.outcomes().items() if rows}


def test_a_page_that_is_saved_twice_is_counted_once(work: FinishedWork) -> None:
    page = work.pages[0]
    work.enrich(page)
    work.save(page)
    assert outcomes(work.tally)
    work.enrich(page)
    work.save(page)
    assert outcomes(work.tally) == {}


def test_a_page_whose_saving_fails_behind_its_chunk_is_counted_once(work: FinishedWork) -> None:
    page = work.pages[0]
    work.enrich(page)

    def full(name: str) -> None:
        if name == "folder.sync.before":
            raise TransientError("the disk went away")

    with watched(full), pytest.raises(TransientError):
        work.save(page)
    assert sum(outcomes(work.tally).values()) == page.records
    assert work.save(page).file
    assert outcomes(work.tally) == {}


def test_of_two_attempts_that_save_a_page_at_once_one_counts_it(work: FinishedWork) -> None:
    page = work.pages[0]
    work.enrich(page)
    passed: list[str] = []

    def other_first(name: str) -> None:
        passed.append(name)
        if passed.count("link.before") == 1 and name == "link.before":
            assert work.save(page).file

    with watched(other_first):
        assert work.save(page).file
    assert passed.count("link.before") >= 2
    assert sum(outcomes(work.tally).values()) == page.records


def test_a_damaged_page_that_is_worked_again_is_not_counted_again(work: FinishedWork) -> None:
    work.work()
    work.tally.take()
    (work.directory / "chunk-000001.json").unlink()
    [page] = work.finish().damaged
    work.enrich(page)
    assert work.save(page, again=True).file
    assert outcomes(work.tally) == {}


def test_of_a_retry_the_rows_are_counted_that_were_tried_again(work: FinishedWork) -> None:
    work.run()
    before = outcomes(work.tally)
    work.retry(answer=all_well)
    assert outcomes(work.tally) == {"enriched": before["fallback"]}


def test_the_end_of_a_batch_is_counted_by_the_call_that_ends_it(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    claim.file("failed", reason="no")
    assert dict(claim.tally.take().ends) == {("", "failed"): 1}
    claim.file("failed", reason="no")
    claim.file("completed")
    assert not claim.tally.take().ends
