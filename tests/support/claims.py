"""A claimed file with its receipt, ready to be filed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from activities.file_source import file_source
from activities.registry.receipts import Receipt, Receipts
from activities.tally import Tally
from workflows.ids import batch_id, displayed
from workflows.models import BatchRef, Counts, CsvOptions, Identity, Outcome, Source
from workflows.requests import FileSource

CSV = b"id\n1\n"


class Claim:
    """A claimed file with its receipt."""

    def __init__(self, root: Path, name: bytes = b"users.csv") -> None:
        self.inbox = root / "inbox"
        self.receipts = Receipts(root / "state")
        self.tally = Tally()
        self.id = batch_id(name, "key")
        self.name = os.fsdecode(name)
        self.folder = self.inbox / ".processing" / self.id
        self.folder.mkdir(parents=True)
        (self.folder / self.name).write_bytes(CSV)
        self.source = Source(
            file=self.name, name=displayed(name), size_bytes=len(CSV), mtime_ns=1, inode=1, sha256="0" * 64
        )
        self.receipts.write(
            Receipt(
                id=self.id,
                workflow_id=f"batch-{self.id}",
                identity=Identity(policy="name+content", key="key"),
                source=self.source,
                state="running",
                claimed_at="2026-01-02T03:04:05+00:00",
                output_dir=f"/tmp/batch-{self.id}",
            )
        )

    def file(self, outcome: Outcome, **facts: object) -> None:
        batch = BatchRef(id=self.id, source=self.source, csv=CsvOptions())
        request = FileSource(batch=batch, outcome=outcome, counts=Counts(records=5, enriched=5))
        file_source(self.inbox, self.receipts, replace(request, **facts), self.tally)  # type: ignore[arg-type]

    def receipt(self) -> Receipt:
        found = self.receipts.read(self.id)
        assert found
        return found

    def files(self) -> list[str]:
        return sorted(str(each.relative_to(self.inbox)) for each in self.inbox.rglob("*") if each.is_file())
