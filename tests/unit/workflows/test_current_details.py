"""What Temporal's own page shows of a batch: how far it is, how fast, and what it waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stub_activities import request

from workflows.current_details import current_details
from workflows.models import Control, Counts, Pause, Waiting
from workflows.state import BatchState, LiveBatch, Progress

START = datetime(2026, 1, 2, 10, 0, 0, tzinfo=UTC)
BATCH = replace(request(7), id="users-0123456789ab")
HALF = Progress(
    state="running",
    mode="cursor",
    counts=Counts(records=6_000, enriched=5_990, fallback=7, rejected=3),
    total_rows=None,
    done_bytes=500_000,
    size_bytes=1_000_000,
    started_at=START.isoformat(),
)


def after(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def page(progress: Progress = HALF, state: BatchState | None = None, seconds: float = 60) -> str:
    live = LiveBatch(replace(BATCH, state=state or BatchState()), "cursor")
    now = START + timedelta(seconds=seconds)
    return current_details(progress, live, output_dir=f"/srv/out/batch-{BATCH.id}", now=now)


def test_it_says_rows_rate_and_time_left_and_where_the_result_goes() -> None:
    assert page().splitlines() == [
        "**running** `users.csv`",
        "",
        "- 6,000 rows done (50 % of the file)",
        "- 5,990 enriched, 7 fallback, 3 rejected",
        "- 100 rows/s, 1 min 00 s left",
        f"- result goes to `/srv/out/batch-{BATCH.id}`",
        "",
        "as of 2026-01-02 10:01:00 UTC",
    ]
    assert "6,000 of 12,000 rows done" in page(replace(HALF, total_rows=12_000))


def test_a_completed_batch_says_where_the_result_is_and_no_time_left() -> None:
    ended = page(replace(HALF, state="completed", done_bytes=1_000_000))
    assert "result in `/srv/out/" in ended
    assert "left" not in ended


def test_a_pause_says_by_whom_since_when_why_and_how_to_go_on_and_is_no_part_of_the_rate() -> None:
    pause = Pause(since=after(60), by="ann", reason="the bill")
    paused = page(replace(HALF, state="paused", paused=pause), seconds=3_600)
    assert "paused by `ann` since 10:01:00 UTC: `the bill`" in paused
    assert f"`batchctl resume {BATCH.id}` goes on" in paused
    assert "- 100 rows/s\n" in paused
    before = BatchState(pauses=[replace(pause, to=after(3_600))])
    assert "- 100 rows/s, 1 min 00 s left\n" in page(state=before, seconds=3_600)


def test_an_outage_says_since_when_why_and_when_the_api_is_asked_again() -> None:
    waiting = Waiting(on="api", since=after(30), until=after(75), detail="HTTP 503")
    text = page(replace(HALF, state="waiting", waiting=waiting))
    assert "waits for the API since 10:00:30 UTC: `HTTP 503`; it is asked again at 10:01:15 UTC" in text
    assert "left" not in text


def test_a_cancel_says_by_whom() -> None:
    assert "cancelled by `ann`; open pages are finished first" in page(replace(HALF, cancelling=Control(by="ann")))


def test_words_from_outside_can_neither_link_nor_format() -> None:
    waiting = Waiting(on="api", since=after(30), until=after(75), detail="`![x](http://evil/)`\n# down")
    text = page(replace(HALF, state="waiting", waiting=waiting))
    assert r"`'![x](http://evil/)'\n# down`" in text
