"""A real intake on real files, driven by the events of the model: what it does is told by what lies on the disk."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from intake_site import PATIENCE_S, Killed, Site

from activities.disk.failpoints import watched
from daemon.intake.dispatch import Outcome
from workflows.errors import StartedElsewhere, TemporalUnreachable
from workflows.models import Mode
from workflows.models import Outcome as Ended
from workflows.state import BatchRequest

SCANS_TO_REST = 12
_COUNTS = {"records": 2, "enriched": 2, "fallback": 0, "rejected": 0, "by_error": {}}
_MANIFEST = f'{{\n"status":"complete",\n"counts":{json.dumps(_COUNTS)}\n}}\n'


class _Kill:
    """A kill at the `at`-th failpoint, and at each one after it; never where that is 0."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._passed = 0

    @property
    def happened(self) -> bool:
        return self._at > 0 and self._passed >= self._at

    def pass_failpoint(self, _: str) -> None:
        self._passed += 1
        if self.happened:
            raise Killed


class RememberedRuns:
    """Temporal, as far as starts and outcomes go: an id that it remembers is refused, until it forgets it."""

    def __init__(self) -> None:
        self.runs: dict[str, Outcome] = {}
        self.started: dict[str, BatchRequest] = {}
        self.lose_replies = 0

    async def start(self, request: BatchRequest, mode: Mode) -> Literal["started", "exists"]:
        known = request.id in self.runs
        if known and self.started[request.id].source.inode != request.source.inode:
            raise StartedElsewhere("its source is another file")
        if not known:
            self.runs[request.id] = "running"
            self.started[request.id] = request
        if self.lose_replies:
            self.lose_replies -= 1
            raise TemporalUnreachable("the reply was lost")
        return "exists" if known else "started"

    async def outcome(self, batch_id: str) -> Outcome:
        return self.runs.get(batch_id, "unknown")

    def running(self) -> list[str]:
        return sorted(batch for batch, outcome in self.runs.items() if outcome == "running")

    def closed(self) -> list[str]:
        return sorted(self.runs.keys() - set(self.running()))


class IntakeStory:
    """One inbox with everything that happens to it. `held` counts the files that senders have not overwritten."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.site = Site(root, **settings)
        self.by_content = settings.get("identity") == "content"
        self.temporal = RememberedRuns()
        self.site.temporal = self.temporal  # type: ignore[assignment]  # it knows what the site asks of it
        self.site.new_intake()
        self.held: Counter[tuple[str, bytes]] = Counter()
        self._filing: dict[str, tuple[Ended, dict[str, Any]]] = {}
        self._number = 0

    def drop(self, name: str, content: bytes) -> None:
        """Put a whole file into the inbox at once, over one of the same name that still lies there."""
        path = self.site.inbox / name
        if path.exists():
            self.held[name, path.read_bytes()] -= 1
        self._number += 1
        new = path.with_name(f".{self._number}")
        new.write_bytes(content)
        new.replace(path)
        self.held[name, content] += 1

    async def scan(self, *, kill_at: int) -> None:
        """Scan twice, so that files settle; killed at the `kill_at`-th failpoint, which 0 is not, it starts anew."""
        kill = _Kill(kill_at)
        with watched(kill.pass_failpoint):
            try:
                for _ in range(2):
                    await self.site.scan(after_s=PATIENCE_S)
            except Killed:
                await self.site.close()
        if kill.happened:
            await self.restart()

    async def restart(self) -> None:
        """Let another daemon go on."""
        await self.site.close()
        self.site.intakes.clear()
        self.site.shared.clear()
        self.site.new_intake()

    def end(self, batch: str, outcome: Ended, *, kill_at: int) -> None:
        """End a running batch as its workflow does; a worker that is killed in it does the same again later."""
        source = self.temporal.started[batch].source
        claim = self.site.inbox / ".processing" / batch
        if batch not in self._filing:
            there = (claim / source.file).exists()
            receipt = self.site.receipts.read(batch)
            if not there and not claim.exists() and not (receipt and receipt.ended):
                return  # the inbox may be away: waited for
            lost = {"reason": "the file is gone", "error_type": "SourceVanished"}
            self._filing[batch] = (outcome, {}) if there else ("failed", lost)
        ended, facts = self._filing[batch]
        if ended == "completed":
            self._write_manifest(batch)
        if self._filed(batch, ended, facts, kill_at):
            del self._filing[batch]
            self.temporal.runs[batch] = "completed" if ended == "completed" else "failed"

    def _filed(self, batch: str, outcome: Ended, facts: dict[str, Any], kill_at: int) -> bool:
        kill = _Kill(kill_at)
        with watched(kill.pass_failpoint):
            try:
                self.site.end(batch, outcome, **facts)
            except Killed:
                return False
        return True

    def terminate(self, batch: str) -> None:
        """End a run in Temporal, past everybody."""
        self.temporal.runs[batch] = "terminated"
        self._filing.pop(batch, None)

    def wipe(self) -> None:
        """Lose everything that Temporal knows."""
        self.temporal.runs.clear()
        self._filing.clear()

    async def come_to_rest(self) -> None:
        """Let everything go on without a fault, until nothing is left to do."""
        for _ in range(SCANS_TO_REST):
            await self.scan(kill_at=0)
            self.site.now_s += self.site.settings.rescan_s
            for batch in self.temporal.running():
                self.end(batch, "completed", kill_at=0)
            if not self.site.waiting() and not self._claims() and not self.temporal.running():
                return

    def check(self) -> None:
        """Hold what lies on the disk against the promises. Everything has come to rest."""
        receipts = self.site.all_receipts()
        assert self.site.waiting() == []
        assert self._claims() == []
        assert all(each.ended for each in receipts), [(each.id, each.state) for each in receipts]
        held = Counter(self._identities(self.held))
        shelved = Counter(self._identities(self._shelved()))
        assert shelved == Counter(held.keys()), "each identity is the source of one batch"
        assert shelved + Counter(self._identities(self._duplicates())) == held, "every other file is a duplicate"
        assert len(receipts) == len(held)
        for each in receipts:
            shelf = "archive" if each.state == "completed" else "failed"
            assert (self.site.inbox / shelf / each.id / each.source.file).exists(), (each.id, each.state)

    def _identities(self, files: Counter[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [("" if self.by_content else name, content) for name, content in files.elements()]

    def _claims(self) -> list[str]:
        return [each.name for each in self.site.inbox.glob(".processing/[!.]*")]

    def _shelved(self) -> Counter[tuple[str, bytes]]:
        found = [*self.site.inbox.glob("archive/*/*.csv"), *self.site.inbox.glob("failed/*/*.csv")]
        return Counter((each.name, each.read_bytes()) for each in found)

    def _duplicates(self) -> Counter[tuple[str, bytes]]:
        folder, found = self.site.inbox / "duplicates", Counter[tuple[str, bytes]]()
        for each in folder.glob("*.receipt.json"):
            document = json.loads(each.read_bytes())
            kept = folder / os.fsdecode(bytes.fromhex(document["kept_as_hex"]))
            if kept.exists():
                found[document["file"], kept.read_bytes()] += 1
        return found

    def _write_manifest(self, batch: str) -> None:
        receipt = self.site.receipts.read(batch)
        if receipt:
            folder = Path(receipt.output_dir)
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "manifest.json").write_text(_MANIFEST)

    def close(self, runner: asyncio.Runner) -> None:
        """End what goes on in the background."""
        runner.run(self.site.close())
        runner.close()
