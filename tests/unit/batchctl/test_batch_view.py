"""One view of a batch from all that know of it: which source wins, and what a source that is missing leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.batchctl.state.batch_view import FIRST_TO_KNOW, NO_SERVER, NO_WORKER, NOT_STARTED, BatchView, merged
from workflows.models import Counts, Pause, Waiting

OUT = Path("/out")
VALUES: dict[str, Any] = {
    "counts": [Counts(records=each) for each in range(1, 6)],
    "done_bytes": [1, 2, 3, 4, 5],
    "started_at": ["1", "2", "3", "4", "5"],
    "run_id": ["1", "2", "3", "4", "5"],
    "mode": ["cursor", "in-memory", "cursor", "in-memory", "cursor"],
}


def view(**facts: Any) -> BatchView:
    return BatchView(id="a", **facts)


@pytest.mark.parametrize("fact", VALUES)
def test_the_first_source_in_the_order_that_knows_a_fact_wins(fact: str) -> None:
    left = {name: view(**{fact: value}) for name, value in zip(FIRST_TO_KNOW[fact], VALUES[fact], strict=False)}
    for name in FIRST_TO_KNOW[fact]:
        assert getattr(merged("a", OUT, left), fact) == getattr(left.pop(name), fact)
    assert getattr(merged("a", OUT, left), fact) == getattr(view(), fact)


def test_a_batch_that_ended_by_its_receipt_has_ended_and_is_settled_only_without_an_open_run() -> None:
    ended = view(state="completed", finished_at="2")
    assert merged("a", OUT, {"registry": ended}).settled
    still_open = merged("a", OUT, {"registry": ended, "server": view(state="running", running=True)})
    assert (still_open.state, still_open.settled, still_open.finished_at) == ("completed", False, "2")


def test_what_a_batch_waits_for_depends_on_who_is_silent() -> None:
    running, server = view(state="running"), view(state="running", running=True)
    assert merged("a", OUT, {"registry": running}).waiting_on == NOT_STARTED
    assert merged("a", OUT, {"registry": running}, no_server=True).waiting_on == NO_SERVER
    assert merged("a", OUT, {"registry": running, "server": server}).waiting_on == NO_WORKER
    answer = view(state="waiting", answered=True, waiting_on="api", waiting=Waiting(on="api", since="1"))
    waits = merged("a", OUT, {"server": server, "workflow": answer})
    assert (waits.state, waits.waiting_on, waits.waiting) == ("waiting", "api", Waiting(on="api", since="1"))


def test_a_pause_kept_on_disk_is_shown_while_temporal_does_not_know_the_batch() -> None:
    pause = Pause(since="1", by="anna")
    paused = merged("a", OUT, {"registry": view(state="running", paused=pause)})
    assert (paused.state, paused.paused) == ("paused", pause)
    assert merged("a", OUT, {"registry": view(state="failed", paused=pause)}).paused is None


def test_a_failure_without_a_known_reason_says_so() -> None:
    assert merged("a", OUT, {"registry": view(state="failed")}).error == "the reason is not known here"
    assert merged("a", OUT, {"registry": view(state="cancelled")}).error is None
    assert merged("a", OUT, {"registry": view(state="running", error="old")}).error is None
