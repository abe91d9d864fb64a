"""What was dropped into the inbox of a site, and what became of it, seen from outside."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installation import Installation, users

from daemon.checker.site import ENDED

NO_CSV = b"\xff\xd8\xff\xe0 no file of rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A file that becomes a batch: dropped at `at`, seconds since 1970."""

    name: str
    rows: int
    content: str
    at: float

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass(slots=True)
class Drops:
    """The files of one site. `pad` bytes are added to each row, `marker` is the ending of ready markers, if any."""

    site: Installation
    pad: int = 0
    marker: str = ""
    files: dict[str, Drop] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    namesakes: dict[str, Drop] = field(default_factory=dict)
    """What was dropped under the name of another file that had ended, by digest."""

    _ended: dict[str, dict[str, Any]] = field(default_factory=dict)

    def file(self, name: str, rows: int) -> None:
        """Drop a file of users that nobody has seen before."""
        drop = Drop(name=name, rows=rows, content=users(rows, note=name + "." * self.pad), at=time.time())
        self.files[name] = drop
        self._put(name, drop.content)

    def duplicate(self) -> None:
        """Drop once more what was claimed before, under the same name."""
        claimed = [each for each in self.files.values() if each.name in self.ended()]
        if claimed and not (self.site.inbox / claimed[-1].name).exists():
            self.duplicates.append(claimed[-1].name)
            self._put(claimed[-1].name, claimed[-1].content)

    def namesake(self) -> None:
        """Drop another file under the name of the last one, which has ended: it is to be a batch of its own."""
        name = list(self.files)[-1]
        content = users(9, note=f"another {name}")
        drop = Drop(name=name, rows=9, content=content, at=time.time())
        self.namesakes[drop.sha256] = drop
        self._put(name, content)

    def no_csv(self, name: str) -> None:
        """Drop what no batch can be made of."""
        self.refused.append(name)
        self._put(name, NO_CSV + name.encode())

    def _put(self, name: str, content: str | bytes) -> None:
        self.site.drop(name, content)
        if self.marker:
            (self.site.inbox / f"{name}{self.marker}").touch()

    def ended(self) -> dict[str, dict[str, Any]]:
        """Return the receipts of batches that have ended, by file name, with `ended_at` of the file system.

        Those of namesakes are left out.
        """
        return {name: each for name, each in self._all_ended() if each["source"]["sha256"] not in self.namesakes}

    def _all_ended(self) -> list[tuple[str, dict[str, Any]]]:
        for path in (self.site.state_dir / "receipts").glob("*.json"):
            name = path.stem
            if name in self._ended:
                continue
            receipt, at = _read(path)
            if receipt.get("state") in ENDED and not (self.site.inbox / ".processing" / name).exists():
                self._ended[name] = {**receipt, "ended_at": at}
        return [(each["source"]["name"], each) for each in self._ended.values()]

    def open_files(self) -> list[str]:
        """Return the files whose batches have not ended."""
        ended = self.ended()
        return [name for name in self.files if name not in ended]

    def at_rest(self) -> bool:
        """True once every file has ended one way or the other."""
        left = [each for each in self.site.inbox.iterdir() if not each.name.startswith(".") and each.is_file()]
        return not left and not self.open_files() and not any((self.site.inbox / ".processing").glob("[!.]*"))

    def strays(self) -> list[str]:
        """Return what is wrong with files that became no batch: each stands once, where it belongs."""
        found = []
        for name in self.refused:
            places = list(self.site.inbox.glob(f"failed/*/{name}"))
            if len(places) != 1 or not (places[0].parent / "REASON.txt").is_file():
                found.append(f"I6: {name}, which is no CSV file, is {len(places)} times in failed/")
        filed = [each for each in self.site.inbox.glob("duplicates/*.csv") if each.is_file()]
        riddles = [each.name for each in filed if not each.with_name(f"{each.name}.receipt.json").is_file()]
        if riddles:
            found.append(f"I8: nothing says of which batch {riddles[0]} is a duplicate")
        completed = {each["source"]["sha256"]: each for _, each in self._all_ended() if each["state"] == "completed"}
        for digest, drop in self.namesakes.items():
            if digest not in completed or completed[digest]["counts"]["enriched"] != drop.rows:
                found.append(f"I8: another file called {drop.name} was dropped, and no batch of it was completed")
        if len(filed) != len(self.duplicates):
            found.append(f"I4: {len(self.duplicates)} duplicates were dropped, {len(filed)} are in duplicates/")
        return found


def _read(path: Path) -> tuple[dict[str, Any], float]:
    """Return a receipt and when it was written; nothing where it is being replaced."""
    try:
        at = path.stat().st_ctime  # batchd sets the other time to that of the claim
        receipt: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}, 0.0
    return receipt, at
