"""docs/operations.md explains every event of the log, and none that there is not."""

from __future__ import annotations

from log_events import events_in_code, events_in_docs


def test_every_event_that_is_logged_is_explained_and_every_other_one_is_gone() -> None:
    told, explained = events_in_code(), events_in_docs()
    assert {"batch.completed", "child.not_started", "library.said", "daemon.not_started"} <= told
    assert told == explained
