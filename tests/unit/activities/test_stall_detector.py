"""A process that stood still knows it, however late it looks."""

from __future__ import annotations

import asyncio

from activities.stall_detector import StallDetector


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_gap_is_seen_before_the_first_tick_after_it() -> None:
    clock = Clock()
    stall_detector = StallDetector(clock)
    clock.now += 11
    assert stall_detector.stalled_since(100.0, longer_than_s=10)


def test_a_gap_is_still_known_after_the_process_ticked_on() -> None:
    clock = Clock()
    stall_detector = StallDetector(clock)
    clock.now += 11
    stall_detector.tick()
    clock.now += 0.1
    stall_detector.tick()
    assert stall_detector.stalled_since(110.0, longer_than_s=10)
    assert not stall_detector.stalled_since(111.05, longer_than_s=10), "what began after it has not lost anything"


def test_a_busy_process_has_not_stood_still() -> None:
    clock = Clock()
    stall_detector = StallDetector(clock)
    for _ in range(100):
        clock.now += 1
        stall_detector.tick()
    assert not stall_detector.stalled_since(0.0, longer_than_s=10)


async def test_it_ticks_by_itself_until_it_is_closed() -> None:
    clock = Clock()
    async with StallDetector(clock) as stall_detector:
        await asyncio.sleep(0)
        clock.now += 11
        assert stall_detector.stalled_since(0.0, longer_than_s=10)
    clock.now += 11
    assert stall_detector.stalled_since(0.0, longer_than_s=10)
