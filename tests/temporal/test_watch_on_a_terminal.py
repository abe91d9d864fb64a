"""`watch` in a real terminal: as many lines as the window has, whatever becomes of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

from batchctl_runner import BatchctlRunner
from installation import BIN
from live_batches import Batches, held
from temporalio.client import Client
from terminal_screen import TerminalScreen

NUMBERS = count(1)
BATCHES = 30
DEADLINE_S = 30.0


@asynccontextmanager
async def thirty_running(runner: BatchctlRunner, client: Client) -> AsyncIterator[Callable[[], None]]:
    """Yield what lets them end."""
    batches, stub = Batches(runner, client, os.environ["BATCH_TASK_QUEUE"]), held(pages=2)
    async with batches.worker(stub):
        handles = [(await batches.started())[1] for _ in range(BATCHES)]
        yield stub.gate.set
        stub.gate.set()
        for each in handles:
            await each.result()


async def until(check: Callable[[], bool], screen: TerminalScreen) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not check():
            assert screen.running(), screen.text
            await asyncio.sleep(0.05)


def bars(screen: TerminalScreen) -> list[str]:
    return [each for each in screen.lines if each.startswith("users-")]


async def test_watch_keeps_to_the_height_of_the_window_also_when_that_changes_and_leaves_the_cursor_at_ctrl_c(
    runner: BatchctlRunner, client: Client
) -> None:
    async with thirty_running(runner, client):
        with TerminalScreen([BIN / "batchctl", "watch"], columns=60, rows=12) as screen:
            await until(lambda: "… and 20 more: 20 running" in screen.text, screen)
            assert len(bars(screen)) == 10
            assert all("0.0 %" in each for each in bars(screen))
            screen.resize(100, 8)
            await until(lambda: "… and 24 more: 24 running" in screen.text, screen)
            assert len(bars(screen)) == 6
            assert sum("more:" in each for each in screen.lines) == 1
            screen.resize(120, 40)
            await until(lambda: len(bars(screen)) == BATCHES and "more:" not in screen.text, screen)
            screen.resize(40, 40)
            await until(lambda: len(bars(screen)) == BATCHES and all(len(each) <= 40 for each in screen.lines), screen)
            screen.type("\x03")
            assert await asyncio.to_thread(screen.ended) == 130
            assert screen.shows_cursor
            assert b"\x1b[?25l" not in screen.raw, "what is never hidden is there after kill -9 too"


async def test_what_runs_is_seen_before_what_has_ended_and_the_end_is_told(
    runner: BatchctlRunner, client: Client
) -> None:
    async with thirty_running(runner, client) as let_go:
        paused = (await runner.run_in_thread("list", "--json", "--limit", "0")).json()["batches"][0]["id"]
        assert (await runner.run_in_thread("pause", paused)).code == 0
        with TerminalScreen([BIN / "batchctl", "watch"], columns=80, rows=12) as screen:
            await until(lambda: "… and 20 more: 19 running, 1 paused" in screen.text, screen)
            let_go()
            await until(lambda: any(paused in each and "paused" in each for each in bars(screen)), screen)
            assert (await runner.run_in_thread("resume", paused)).code == 0
            assert await asyncio.to_thread(screen.ended) == 0
            assert f"batchctl: {paused} is completed" in screen.raw.decode()


async def test_a_message_stands_above_the_bars_and_a_dumb_terminal_gets_lines(
    runner: BatchctlRunner, client: Client
) -> None:
    async with thirty_running(runner, client):
        with TerminalScreen([BIN / "batchctl", "watch"], columns=110, rows=50) as screen:
            await until(lambda: len(bars(screen)) == BATCHES and "no batchd watches" in screen.text, screen)
            said = next(n for n, each in enumerate(screen.lines) if "no batchd watches" in each)
            first = next(n for n, each in enumerate(screen.lines) if each.startswith("users-"))
            assert said < first
            assert screen.text.count("0.0 %") == BATCHES
        with TerminalScreen([BIN / "batchctl", "watch"], rows=50, env={**os.environ, "TERM": "dumb"}) as screen:
            await until(lambda: len(bars(screen)) >= BATCHES, screen)
            assert b"\x1b" not in screen.raw
