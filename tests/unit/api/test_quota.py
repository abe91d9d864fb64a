"""Quotas of a minute, an hour, a day: never exceeded, shared by processes, not forgotten by a kill."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from repository import ROOT

from activities.api.quota import quota as quota_module
from activities.api.quota.quota import Quota
from activities.api.quota.quota_file import Block, QuotaFile, Window
from workflows.errors import OutputRefused, TransientError

NOON = 1_764_072_000.0


def fail() -> None:
    raise AssertionError("this file system has locks")


LENGTHS_S = {"min": 60, "h": 3_600, "day": 86_400}


def window(rate: str) -> Window:
    calls, _, unit = rate.partition("/")
    return Window(int(calls), LENGTHS_S[unit])


def quota_file(folder: Path, *rates: str) -> QuotaFile:
    return QuotaFile(folder / "quota", "people", tuple(window(each) for each in rates), fail)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def quota_of(file: QuotaFile, clock: Callable[[], float], processes: int = 1) -> AsyncIterator[Quota]:
    quota = Quota(file, on_free=lambda: None, processes=processes, clock=clock)
    yield quota
    quota.close()


async def spent(quota: Quota, most: int) -> int:
    """Spend until `most` or until the quota wants a real wait; return how many."""
    count, deadline = 0, time.monotonic() + 20
    while count < most:
        wait_s = quota.wait_s()
        if wait_s == 0:
            quota.take()
            count += 1
        elif quota.why:
            break
        else:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
    return count


async def test_a_quota_that_is_used_up_says_when_and_why_and_is_free_again_then(tmp_path: Path) -> None:
    clock = Clock()
    async with quota_of(quota_file(tmp_path, "500/day"), clock) as quota:
        assert await spent(quota, 1_000) == 500
        assert 86_400 <= quota.wait_s() <= 86_400 * (1 + 2 / 60)
        assert quota.why.startswith("the quota 500/day is used up; the next call is free at 2025-11-26 12:")
        clock.now += quota.wait_s()
        quota.why = ""
        assert await spent(quota, 1_000) == 500


async def test_a_restart_forgets_nothing_and_gives_back_what_was_not_spent(tmp_path: Path) -> None:
    clock = Clock()
    for _ in range(10):
        async with quota_of(quota_file(tmp_path, "1000/day", "1000000/h"), clock) as quota:
            assert await spent(quota, 97) == 97
    async with quota_of(quota_file(tmp_path, "1000/day"), clock) as quota:
        assert await spent(quota, 1_000) == 30


SPEND = """
import asyncio, os, sys, time
from pathlib import Path
from activities.api.quota.quota import Quota
from activities.api.quota.quota_file import QuotaFile, Window

async def main(folder, rate, most, end, processes):
    windows = (Window(int(rate.partition("/")[0]), {"min": 60, "h": 3600, "day": 86400}[rate.partition("/")[2]]),)
    file = QuotaFile(Path(folder), "people", windows, lambda: None)
    quota = Quota(file, on_free=lambda: None, processes=int(processes))
    while most and not quota.why:
        if quota.wait_s() == 0:
            quota.take()
            os.write(1, b".")
            most -= 1
        await asyncio.sleep(0)
    if end == "kill":
        os._exit(9)
    quota.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]))
"""


def spending(folder: Path, rate: str, most: int, end: str, processes: int = 1) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SPEND, str(folder / "quota"), rate, str(most), end, str(processes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def finished(process: subprocess.Popen[bytes]) -> int:
    out, _ = process.communicate(timeout=60)
    return len(out)


def test_kills_lose_a_block_each_at_most_and_never_spend_more_than_the_quota(tmp_path: Path) -> None:
    counts = [finished(spending(tmp_path, "2000/day", 333, "kill")) for _ in range(3)]
    assert counts == [333] * 3
    rest = finished(spending(tmp_path, "2000/day", 5_000, "close"))
    most_held = 20 + 20 // 4
    assert 2_000 - 3 * most_held <= sum(counts) + rest <= 2_000


def test_processes_that_spend_at_once_share_one_quota_to_its_last_call(tmp_path: Path) -> None:
    both = [spending(tmp_path, "1500/day", 5_000, "close", processes=2) for _ in range(2)]
    counts = [finished(each) for each in both]
    counts.append(finished(spending(tmp_path, "1500/day", 5_000, "close")))
    assert sum(counts) == 1_500
    assert min(counts[:2]) > 0


@pytest.mark.parametrize(
    ("rate", "length_s", "step_s"), [("40/min", 60, 1), ("300/h", 3_600, 15), ("90/day", 86_400, 400)]
)
def test_no_stretch_as_long_as_a_window_ever_holds_more_than_its_calls(
    tmp_path: Path, rate: str, length_s: int, step_s: int
) -> None:
    random, clock = Random(7), Clock()
    files = [quota_file(tmp_path, rate, "1000000/day" if rate.endswith("/h") else "1000000/h") for _ in range(3)]
    held = [Block(0)] * 3
    spent_at: list[float] = []
    for _ in range(600):
        clock.now += step_s * random.choice([0, 0, 0.3, 0.7, 1.9, 5])
        who = random.randrange(3)
        block = held[who]
        if block.begins_at <= clock.now < block.ends_at:
            now_spent = random.randint(0, block.calls)
            spent_at += [clock.now] * now_spent
            block = replace(block, calls=block.calls - now_spent)
        killed = random.random() < 0.01
        held[who] = Block(0) if killed else files[who].take(random.randint(1, 15), clock, unspent=[block])
    allowed = window(rate).calls
    assert 0.7 * allowed <= most_in_a_stretch(spent_at, length_s) <= allowed


def most_in_a_stretch(spent_at: list[float], length_s: float) -> int:
    first = most = 0
    for number, moment in enumerate(spent_at):
        while spent_at[first] <= moment - length_s:
            first += 1
        most = max(most, number - first + 1)
    return most


async def test_a_clock_that_is_set_back_makes_no_call_free_and_blocks_none_for_longer_than_a_window(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with quota_of(quota_file(tmp_path, "10/h"), clock) as quota:
        assert await spent(quota, 10) == 10
    clock.now -= 86_400 * 365
    async with quota_of(quota_file(tmp_path, "10/h"), clock) as quota:
        assert await spent(quota, 10) == 0
        assert quota.wait_s() <= 3_600 * (1 + 2 / 60)


async def test_who_is_idle_gives_its_block_back_to_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota_module, "IDLE_S", 0.05)
    clock = Clock()
    async with (
        quota_of(quota_file(tmp_path, "1000/day"), clock) as idle,
        quota_of(quota_file(tmp_path, "1000/day"), clock) as busy,
    ):
        assert await spent(idle, 1) == 1
        deadline = time.monotonic() + 10
        while _counted(tmp_path) > 1:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert await spent(busy, 2_000) == 999


def _counted(folder: Path) -> int:
    return sum(json.loads((folder / "quota" / "people.json").read_text())["spent"]["86400"].values())


async def test_the_file_is_written_once_for_a_hundredth_of_the_quota_and_not_for_each_call(tmp_path: Path) -> None:
    takes: list[int] = []

    class Counting(QuotaFile):
        def take(self, wanted: int, clock: Callable[[], float], **unspent: object) -> Block:
            takes.append(wanted)
            return super().take(wanted, clock, **unspent)  # type: ignore[arg-type]

    file = Counting(tmp_path, "people", (Window(50_000, 86_400),), fail)
    async with quota_of(file, Clock()) as quota:
        assert await spent(quota, 5_000) == 5_000
    assert takes[0] == 500
    assert len(takes) <= 13


async def test_a_damaged_count_stops_calls_and_says_what_to_remove(tmp_path: Path) -> None:
    clock, file = Clock(), quota_file(tmp_path, "10/h")
    file.take(1, clock)
    for content in (b"", b"[]", b'{"spent": {"x": 1}}', b"\xff"):
        file.path.write_bytes(content)
        with pytest.raises(OutputRefused, match=r"people\.json is damaged.*remove it"):
            file.take(1, clock)
    async with quota_of(file, clock) as quota:
        assert await spent(quota, 1) == 0
        assert "remove it" in quota.why
        file.path.unlink()
        clock.now += quota.wait_s()
        quota.why = ""
        assert await spent(quota, 1) == 1


def test_a_count_that_cannot_be_written_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "quota").write_text("no folder")
    with pytest.raises(TransientError, match=r"counting calls in .*people\.json"):
        quota_file(tmp_path, "10/h").take(1, Clock())


def test_another_rate_for_the_same_window_knows_what_was_spent(tmp_path: Path) -> None:
    clock = Clock()
    quota_file(tmp_path, "10/h").take(10, clock)
    quota_file(tmp_path, "5/min").take(1, clock)
    assert quota_file(tmp_path, "15/h").take(10, clock).calls == 5
