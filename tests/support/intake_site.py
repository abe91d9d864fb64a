"""An inbox with an intake on real files, a clock that only tests move, and a Temporal of three dictionaries."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from activities.file_source import file_source
from activities.registry.receipts import Receipt, Receipts
from daemon.config.settings import Settings
from daemon.intake.dispatch import Outcome
from daemon.intake.inboxes import Inboxes
from daemon.intake.scan import Intake, ScanReport
from daemon.intake.shared_work import SharedWork
from workflows.errors import TemporalUnreachable
from workflows.models import BatchRef, Mode
from workflows.models import Outcome as Ended
from workflows.requests import FileSource
from workflows.state import BatchRequest

SETTLE_S = 2.0
PATIENCE_S = 6.0
CSV = b"id,name\n1,a\n2,b\n"


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class FakeTemporal:
    """Starts nothing, remembers everything; `reachable`, `lose_replies` and `refusals` are the faults it knows."""

    def __init__(self) -> None:
        self.started: dict[str, BatchRequest] = {}
        self.modes: dict[str, Mode] = {}
        self.asked: list[str] = []
        self.outcomes: dict[str, Outcome] = {}
        self.reachable = True
        self.refusals: dict[str, Exception] = {}
        self.lose_replies = 0
        self.open_calls = 0
        self.most_open_calls = 0
        self.start_s = 0.0

    async def start(self, request: BatchRequest, mode: Mode) -> Literal["started", "exists"]:
        self.asked.append(request.id)
        self.open_calls += 1
        self.most_open_calls = max(self.most_open_calls, self.open_calls)
        await asyncio.sleep(self.start_s)
        self.open_calls -= 1
        if not self.reachable:
            raise TemporalUnreachable("nobody answers")
        if request.source.name in self.refusals:
            raise self.refusals[request.source.name]
        known = request.id in self.started
        self.started.setdefault(request.id, request)
        self.modes.setdefault(request.id, mode)
        if self.lose_replies:
            self.lose_replies -= 1
            raise TemporalUnreachable("the reply was lost")
        return "exists" if known else "started"

    async def outcome(self, batch_id: str) -> Outcome:
        if not self.reachable:
            raise TemporalUnreachable("nobody answers")
        return self.outcomes.get(batch_id, "running" if batch_id in self.started else "unknown")


class Site:
    """One inbox; `new_intake` is a restart of the daemon."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.inbox = root / "inbox"
        self.state_dir = root / "state"
        for folder in (self.inbox, self.state_dir):
            folder.mkdir(parents=True, exist_ok=True)
        folders = {"inbox": self.inbox, "state_dir": self.state_dir, "output_root": root}
        chosen: dict[str, Any] = {**folders, "settle_s": SETTLE_S, **settings}
        self.settings = Settings(**chosen)
        self.temporal = FakeTemporal()
        self.receipts = Receipts(self.state_dir)
        self.now_s = 1_000.0
        self.intakes: list[Intake] = []
        self.shared: list[SharedWork] = []
        self.intake = self.new_intake()

    def new_intake(self) -> Intake:
        self.shared.append(SharedWork(self.settings))
        self.intake = Intake(self.settings, self.temporal, self.shared[-1], clock=lambda: self.now_s)
        self.intakes.append(self.intake)
        return self.intake

    def drop(self, name: str | bytes, content: bytes = CSV) -> Path:
        path = self.inbox / os.fsdecode(name)
        path.write_bytes(content)
        return path

    async def scan(self, after_s: float = 0.0) -> ScanReport:
        self.now_s += after_s
        report = await self.intake.scan()
        await self.intake.idle()
        return report

    async def settle(self, scans: int = 2) -> ScanReport:
        """Let everything in the inbox settle and be taken."""
        report = await self.scan()
        for _ in range(scans):
            report = await self.scan(after_s=PATIENCE_S)
        return report

    def end(self, batch: str, outcome: Ended, **facts: Any) -> None:
        """End a batch as its workflow does."""
        request = self.temporal.started[batch]
        ref = BatchRef(id=batch, source=request.source, csv=request.shape.csv)
        file_source(self.inbox, self.receipts, FileSource(batch=ref, outcome=outcome, **facts))

    async def close(self) -> None:
        for each in self.intakes:
            await each.close()
        for each in self.shared:
            await each.close()

    def waiting(self) -> list[str]:
        return sorted(each.name for each in self.inbox.iterdir() if not each.is_dir())

    def claimed(self) -> list[str]:
        return sorted(str(each.relative_to(self.inbox / ".processing")) for each in self.inbox.glob(".processing/*/*"))

    def under(self, folder: str) -> list[str]:
        found = (self.inbox / folder).rglob("*")
        return sorted(str(each.relative_to(self.inbox / folder)) for each in found if not each.is_dir())

    def all_receipts(self) -> list[Receipt]:
        return list(self.receipts.newest_first())


def manifest(site: Site, status: str = "complete") -> None:
    """Write as much of a manifest as the daemon reads."""
    [receipt] = site.all_receipts()
    folder = Path(receipt.output_dir)
    folder.mkdir(mode=0o700)
    counts = {"records": 2, "enriched": 2, "fallback": 0, "rejected": 0, "by_error": {}}
    lines = [f'"status":{json.dumps(status)}', f'"counts":{json.dumps(counts)}']
    (folder / "manifest.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


async def watched(site: Site, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
    """Watch one inbox as the service does."""
    await Inboxes(site.settings, lambda *_: site.temporal).run({"": site.settings}, stop, on_ready=on_ready)


MakeSite = Callable[..., Site]
"""The fixture `make_site`: a name and settings give an inbox of its own."""


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return the fields of every log line of one event."""
    return [each.__dict__["fields"] for each in caplog.records if each.getMessage() == event]


async def until(check: Callable[[], Any], what: str, deadline_s: float = 20.0) -> None:
    end = time.monotonic() + deadline_s
    while not check():
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        await asyncio.sleep(0.01)
