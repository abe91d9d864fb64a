"""What is done, a line of JSON to a segment: a run that was ended goes on behind it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos.fault import Segment
from chaos.judge import Verdict, faults_of
from chaos.site import Site

Entry = dict[str, Any]


def entry_of(segment: Segment, site: Site, verdict: Verdict, took_s: float) -> Entry:
    """Return the line of a segment."""
    injected = {each.number for each in faults_of(site.strikes)}
    faults = [
        {
            "number": each.number,
            "line": each.line,
            "injected": each.number in injected,
            "recovered_s": verdict.recovered_s.get(each.number),
        }
        for each in segment.faults
    ]
    counts = {key: value for key, value in asdict(verdict).items() if key != "recovered_s"}
    return {
        "segment": segment.name,
        "kind": segment.kind,
        "variant": segment.variant,
        "seed": segment.seed,
        "took_s": round(took_s, 1),
        "faults": faults,
        **counts,
    }


class Record:
    """The record of one seed, in `folder`."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"seed-{seed}.jsonl"

    def entries(self) -> list[Entry]:
        """Return what is done; a last line that was cut short does not count."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def add(self, entry: Entry) -> None:
        """Note a segment, in the place of an earlier run of it."""
        others = [each for each in self.entries() if each["segment"] != entry["segment"]]
        whole = "".join(json.dumps(each) + "\n" for each in [*others, entry])
        beside = self.path.with_suffix(".new")
        beside.write_text(whole)
        os.replace(beside, self.path)  # noqa: PTH105 - the atomic one

    def forget(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)
