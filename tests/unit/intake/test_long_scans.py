"""A scan that hangs is told from one that is long, as those of a million files or over a slow network are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.config.settings import Settings
from daemon.intake import loop as loop_module
from daemon.intake.leader import Leadership
from daemon.intake.loop import InboxLoop
from daemon.intake.observe.watcher import Watcher
from daemon.intake.scan import ScanReport
from daemon.intake.shared_work import SharedWork


class Clock:
    """Goes on by what each scan takes."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.scan_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    async def scan(self) -> ScanReport:
        self.now_s += self.scan_s
        return ScanReport()


async def test_a_long_scan_that_comes_to_an_end_each_time_does_not_stand_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(loop_module, "time", clock)
    settings = Settings(inbox=tmp_path, output_root=tmp_path, state_dir=tmp_path / "state", rescan_s=10)
    starter: Any = SimpleNamespace()
    shared = SharedWork(settings)
    loop = InboxLoop(settings, starter, Leadership(tmp_path), Watcher(longest_pause_s=10), shared)
    scanning: Any = loop
    monkeypatch.setattr(scanning._intake, "scan", clock.scan)

    clock.scan_s = 90
    await scanning._scan()
    clock.now_s += 100
    assert not loop.stands_still, "the next takes as long"
    clock.now_s += 300
    assert loop.stands_still

    clock.scan_s = 1
    await scanning._scan()
    assert not loop.stands_still
    clock.now_s += 81
    assert loop.stands_still, "a short one that takes a minute hangs"
    await shared.close()
