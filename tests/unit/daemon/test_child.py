"""A supervised child: whatever it prints, however it ends, and though the system cannot start it for a while."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from intake_site import events, until

from daemon.processes.child import Child, own_environment
from daemon.processes.restarts import Supervisor

READY = "print('ready', flush=True); input()"


@asynccontextmanager
async def supervised(child: Child, keeping: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[None]:
    supervisor = Supervisor()
    supervisor.keep(child.name, keeping or child.keep_running)
    try:
        yield
    finally:
        await supervisor.stop()
        await child.stop(5)


def program(code: str, *, quiet: bool = False) -> Child:
    return Child("program", [sys.executable, "-c", code], env=own_environment(), quiet=quiet)


def failing_once(patch: pytest.MonkeyPatch) -> None:
    """Let the next fork fail as it does when the host has no room for another process."""
    real, failures = asyncio.create_subprocess_exec, [BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))]

    async def fork(*command: str, **options: Any) -> asyncio.subprocess.Process:
        if failures:
            raise failures.pop()
        return await real(*command, **options)

    patch.setattr("asyncio.create_subprocess_exec", fork)


async def test_a_child_that_cannot_be_started_again_at_once_is_started_later_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    child = program(READY)
    async with supervised(child):
        await asyncio.wait_for(child.ready(), 10)
        first = child.pid
        failing_once(monkeypatch)
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.is_ready and child.pid != first, "the child is back")
    assert [each["code"] for each in events(caplog, "child.ended")] == [-signal.SIGKILL]
    [failed] = events(caplog, "child.not_started")
    assert "Resource temporarily unavailable" in failed["error"]


async def test_a_child_that_cannot_be_started_at_first_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_once(monkeypatch)
    child = program(READY)
    async with supervised(child):
        await asyncio.wait_for(child.ready(), 10)


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_line_without_an_end_neither_blocks_the_child_nor_blinds_its_supervisor(*, quiet: bool) -> None:
    stream = "stderr" if quiet else "stdout"
    child = program(f"import sys; sys.{stream}.write('x' * 1_000_000 + '\\n'); {READY}", quiet=quiet)
    async with supervised(child):
        await asyncio.wait_for(child.ready(), 10)
        assert child.is_ready
        assert child.last_words().startswith("xxx")


async def test_the_last_words_of_a_child_need_no_end_of_line() -> None:
    child = program("import sys; sys.stdout.write('one\\ntwo')")
    await child.start()
    await until(lambda: child.ended, "it ends")
    await child.stop(1)
    assert child.last_words() == "one / two"


async def test_a_supervisor_task_that_raises_is_logged_and_run_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    child, failures = program(READY), [ZeroDivisionError("nobody foresaw it"), OSError(errno.ENOSPC, "no space")]

    async def keeping() -> None:
        if failures:
            raise failures.pop()
        await child.keep_running()

    async with supervised(child, keeping):
        await asyncio.wait_for(child.ready(), 10)
    assert [each["error"] for each in events(caplog, "supervisor.failed")] == [
        "[Errno 28] no space",
        "nobody foresaw it",
    ]
    assert "Traceback" in caplog.text, "only for what nobody foresaw"


async def test_what_fails_after_a_start_is_tried_again_for_the_same_process(caplog: pytest.LogCaptureFixture) -> None:
    child, failures = program("input()"), [OSError(errno.ENOSPC, "no space")]

    async def note(started: Child) -> None:
        if failures:
            raise failures.pop()
        started.count_as_ready()

    async with supervised(child, lambda: child.keep_running(on_start=note)):
        await asyncio.wait_for(child.ready(), 10)
    assert len(events(caplog, "supervisor.failed")) == 1
    assert events(caplog, "child.ended") == []
