"""Finished batches that somebody has changed, and what a verification says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finished_work import FinishedWork

from activities.manifest.reader import digest_of
from daemon.results.verify import verify


def failed(work: FinishedWork, source: Path | None = None) -> dict[str, str]:
    verdict = verify(work.directory, source=source)
    assert verdict.ok == (not verdict.failed())
    return {each.name: each.detail for each in verdict.failed()}


Change = Callable[[dict[str, Any]], object]


def forge(work: FinishedWork, change: Change, *, chunk: Callable[[list[Any]], object] | None = None) -> None:
    """Change a result as somebody would who knows the format: all digests are right again afterwards."""
    import hashlib  # noqa: PLC0415 - beside its use

    path = work.directory / "manifest.json"
    manifest = json.loads(path.read_bytes())
    if chunk:
        file = work.directory / manifest["chunks"][0]["file"]
        rows = json.loads(file.read_bytes())
        chunk(rows)
        lines = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
        file.write_bytes(f"[\n{lines}\n]\n".encode())
        manifest["chunks"][0]["bytes"] = len(file.read_bytes())
        manifest["chunks"][0]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    change(manifest)
    manifest["integrity"]["digest"] = digest_of(manifest)
    path.write_text(json.dumps(manifest))
    listed = [(each["sha256"], each["file"]) for each in (*manifest["chunks"], *manifest["rejected_files"])]
    listed.append((hashlib.sha256(path.read_bytes()).hexdigest(), path.name))
    (work.directory / "manifest.sha256").write_text("".join(f"{digest}  {name}\n" for digest, name in listed))
