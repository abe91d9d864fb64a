"""What is kept going: run again when it fails, more and more slowly, and never in silence."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from intake_site import events, until

from daemon.processes import restarts
from daemon.processes.restarts import FIRST_BACKOFF_S, MAX_BACKOFF_S, STEADY_S, Backoff, Supervisor


async def test_a_task_that_raises_is_logged_and_run_again(caplog: pytest.LogCaptureFixture) -> None:
    attempts, done = count(1), asyncio.Event()

    async def keeping() -> None:
        if next(attempts) < 3:
            raise OSError("no room for another process")
        done.set()

    supervisor = Supervisor()
    supervisor.keep("worker-1", keeping)
    await until(done.is_set, "it has worked at last")
    await supervisor.stop()
    failures = events(caplog, "supervisor.failed")
    assert [each["task"] for each in failures] == ["worker-1", "worker-1"]
    assert failures[0]["error"] == "no room for another process"
    assert not any(record.exc_info for record in caplog.records), "what is foreseen needs no traceback"


async def test_an_error_that_nobody_foresaw_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    attempts, done = count(1), asyncio.Event()

    async def keeping() -> None:
        if next(attempts) == 1:
            raise ZeroDivisionError
        done.set()

    supervisor = Supervisor()
    supervisor.keep("probe", keeping)
    await until(done.is_set, "it has worked at last")
    await supervisor.stop()
    [record] = [each for each in caplog.records if each.getMessage() == "supervisor.failed"]
    assert record.exc_info is not None
    assert events(caplog, "supervisor.failed")[0]["error"] == "ZeroDivisionError"


async def test_a_task_that_returns_is_not_run_again() -> None:
    runs = count(1)

    async def keeping() -> None:
        next(runs)

    supervisor = Supervisor()
    supervisor.keep("once", keeping)
    [task] = supervisor._tasks
    await task
    assert next(runs) == 2


async def test_stopping_ends_every_task_and_waits_for_its_end() -> None:
    ended = asyncio.Event()

    async def keeping() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    supervisor = Supervisor()
    supervisor.keep("worker-1", keeping)
    await asyncio.sleep(0)
    await supervisor.stop()
    assert ended.is_set()


def test_each_failure_waits_twice_as_long_up_to_a_limit_and_a_steady_run_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(restarts.time, "monotonic", lambda: now)
    backoff = Backoff()
    waits = []
    for _ in range(8):
        backoff.begin()
        waits.append(backoff.after_failure())
    assert waits[:4] == [FIRST_BACKOFF_S * 2**each for each in range(4)]
    assert waits[-1] == MAX_BACKOFF_S
    backoff.begin()
    now += STEADY_S + 1
    assert backoff.after_failure() == FIRST_BACKOFF_S
