"""What has to be on disk before what: seen in the calls of a whole batch, since no kill of a process shows it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation, eventually, manifest_of, users
from sync_record import RECORDER, VARIABLE, noted, unsynced

Make = Callable[..., Installation]


@pytest.mark.parametrize("in_memory_bytes", ["0", "262144"], ids=["cursor", "in-memory"])
def test_nothing_vouches_for_what_a_power_cut_could_still_take(
    installation: Make, temporal_address: str, tmp_path: Path, in_memory_bytes: str
) -> None:
    record = tmp_path / "syncs.jsonl"
    site = installation(
        BATCH_IN_MEMORY_MAX_BYTES=in_memory_bytes,
        BATCH_PAGE_ROWS="8",
        BATCH_PAGES_IN_FLIGHT="1",
        BATCH_TASK_QUEUE=f"syncs-{in_memory_bytes}",
        TEMPORAL_ADDRESS=temporal_address,
    )
    site.mock_api()
    site.set(PYTHONPATH=os.pathsep.join([str(RECORDER), os.environ.get("PYTHONPATH", "")]), **{VARIABLE: str(record)})
    for half in ("watch", "work"):
        site.batchd(half, name=half)
    site.drop(f"users-{in_memory_bytes}.csv", users(20))
    [folder] = site.finished()
    identity = manifest_of(folder)["id"]
    eventually(lambda: not any((site.inbox / ".processing").glob("[!.]*")), "the claim goes")

    receipt, archive = site.state_dir / "receipts" / f"{identity}.json", site.inbox / "archive" / identity
    calls = noted(record)
    assert {each.file for each in calls if each.call == "name"} >= {"chunk-000003.json", "manifest.json", receipt.name}
    assert unsynced(calls, output=folder, receipt=receipt, archive=archive) == []
