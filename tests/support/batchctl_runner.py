"""A state folder, an inbox and an output root for tests of batchctl, and a way to run it in this process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from activities.registry.receipts import Receipt, Receipts
from daemon.batchctl.main import run
from workflows.ids import batch_id, identity_key, workflow_id
from workflows.models import Counts, Identity, Source

SHA256 = "5" * 64


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class BatchctlRunner:
    """Runs batchctl as an operator does, with folders of its own."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.inbox, self.output_root, self.state_dir = root / "inbox", root / "out", root / "state"
        for folder in (self.inbox, self.output_root, self.state_dir):
            folder.mkdir(exist_ok=True)
        self.receipts = Receipts(self.state_dir)
        self._patch, self._capture = patch, capture
        self.set(BATCH_INBOX=self.inbox, BATCH_OUTPUT_ROOT=self.output_root, BATCH_STATE_DIR=self.state_dir)
        self.set(BATCH_SERVER_PORT=1, XDG_CONFIG_HOME=root / "no-profiles")

    def give_up_soon(self) -> None:
        """Let a server that is away cost a tenth of the time."""
        self._patch.setattr("daemon.batchctl.state.live.CONNECT_S", 0.3)

    def set(self, **settings: object) -> None:
        for name, value in settings.items():
            self._patch.setenv(name, str(value))

    def run(self, *arguments: str) -> Answer:
        self._capture.readouterr()
        code = run(arguments)
        out, err = self._capture.readouterr()
        return Answer(code, out, err)

    async def run_in_thread(self, *arguments: str) -> Answer:
        """Run the command beside this event loop."""
        return await asyncio.to_thread(self.run, *arguments)

    def receipt(self, name: str = "users.csv", sha256: str = SHA256, **facts: Any) -> Receipt:
        """Write the receipt of a batch."""
        key = identity_key("name+content", name=name.encode(), sha256=sha256)
        identity = facts.pop("id", None) or batch_id(name.encode(), key)
        receipt = Receipt(
            id=identity,
            workflow_id=workflow_id(identity),
            identity=Identity(policy="name+content", key=key),
            source=Source(file=name, name=name, size_bytes=1_000, mtime_ns=0, inode=1, sha256=sha256),
            state="claimed",
            claimed_at="2026-01-01T10:00:00.000+00:00",
            output_dir=str(self.output_root / workflow_id(identity)),
        )
        receipt = replace(receipt, **facts)
        self.receipts.write(receipt)
        return receipt

    def completed(self, name: str = "users.csv", **facts: Any) -> Receipt:
        """Write the receipt of a batch that is done."""
        counts = Counts(records=100, enriched=97, fallback=2, rejected=1)
        ended: dict[str, Any] = {
            "state": "completed",
            "counts": counts,
            "started_at": "2026-01-01T10:00:00.000+00:00",
            "finished_at": "2026-01-01T10:00:10.000+00:00",
        }
        return self.receipt(name, **{**ended, **facts})
