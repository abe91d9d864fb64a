"""No cell of a file ever reaches Temporal, whatever becomes of its row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from installation import Installation, api, manifest_of, rows_of
from workflow_histories import histories, holds

Make = Callable[..., Installation]
CANARY = "c4n4ry"


def file_of_canaries() -> str:
    sound = [f"{CANARY}{row},{CANARY}name{row},{CANARY}country{row}" for row in range(1, 61)]
    rejected = [f"{CANARY}ragged", f'"{CANARY}quoted"text,2,3', f"{CANARY}\0,2,3"]
    return "\n".join(["id,name,country", *sound[:30], *rejected, *sound[30:]]) + "\n"


@pytest.mark.parametrize("in_memory_bytes", ["0", "262144"], ids=["cursor", "in-memory"])
def test_no_cell_of_the_file_is_anywhere_in_the_history(installation: Make, in_memory_bytes: str) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES=in_memory_bytes, BATCH_PAGE_ROWS="20")
    base = site.mock_api()
    api(base, "/faults", {"kind": "status", "status": 422, "calls": 5})
    site.batchd()
    site.drop("users.csv", file_of_canaries())
    [folder] = site.finished()
    manifest = manifest_of(folder)
    assert (manifest["counts"]["fallback"], manifest["counts"]["rejected"]) == (5, 3)
    assert sum(CANARY in row["name"] for row in rows_of(folder)) == 60, "they are in the result"
    address = f"127.0.0.1:{site.env['BATCH_SERVER_PORT']}"
    [history] = asyncio.run(histories(address, manifest["workflow_id"], manifest["run_ids"]))
    assert holds(history, "users.csv"), "what stands in the history is found"
    assert not holds(history, CANARY)
