"""Faults that take a story of their own, judged from outside; those that take none are in `tests/chaos`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from installation import Installation, api, eventually, rows_of, users

from daemon.checker.site import Evidence, check_site
from workflows.ids import batch_id, identity_key

Make = Callable[..., Installation]

ROWS = 60
IN_FLIGHT = 4
SETTINGS = {
    "BATCH_IN_MEMORY_MAX_BYTES": "0",
    "BATCH_PAGE_ROWS": "20",
    "BATCH_PAGES_IN_FLIGHT": "2",
    "BATCH_API_CONCURRENCY": str(IN_FLIGHT),
    "BATCH_HEARTBEAT_TIMEOUT_S": "1",
}


def region(row: Mapping[str, str]) -> dict[str, str]:
    """Return what the mock API adds to a row."""
    return {"region": "NA" if row["country"] == "US" else "INTL"}


def judge(site: Installation, base: str, rows: int, kills: int, name: str = "users.csv") -> None:
    """Hold I1 to I8 against what lies on disk and what the API saw."""
    [folder] = site.finished(deadline_s=90)
    assert len(list(site.inbox.glob(f"archive/*/{name}"))) == 1
    receipts = site.state_dir / "receipts"
    ended = re.compile(r'"finished_at": "')
    eventually(lambda: all(ended.search(each.read_text()) for each in receipts.glob("*.json")), "the receipts close")
    eventually(lambda: not any((site.inbox / ".processing").glob("[!.]*")), "the claims go")
    calls, most = api(base, "/calls")["repeated"], IN_FLIGHT * max(kills, 0)
    found = check_site(Evidence(state_dir=site.state_dir, calls=calls, most_repeats=most, answer=region))
    assert found == []
    numbers = [row["_row"] for row in rows_of(folder)]
    assert len(numbers) == rows, "all of the source"
    done = subprocess.run(["sha256sum", "--quiet", "-c", "manifest.sha256"], cwd=folder, check=False)  # noqa: S607
    assert done.returncode == 0, "I3"
    assert site.batchctl("verify", str(folder)).returncode == 0, "I3"
    assert len(site.outputs()) == 1, "I4"


@pytest.mark.timeout(300)
def test_three_random_kills_in_one_batch_leave_nothing_to_do(installation: Make) -> None:
    rows, kills = 800, 3
    chance = random.Random(7)
    site = installation(**SETTINGS | {"BATCH_PAGE_ROWS": "100"})
    base = site.mock_api(LATENCY_MIN_MS="5", LATENCY_MAX_MS="15")
    service = site.batchd()
    site.drop("users.csv", users(rows))
    for kill in range(1, kills + 1):
        eventually(lambda kill=kill: api(base, "/calls")["total"] > kill * rows / (kills + 2), "calls are made")
        victim = chance.choice([pid for pid, _ in site.children(service.pid)])
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(victim, signal.SIGKILL)
    judge(site, base, rows, kills)


@pytest.mark.parametrize("calls", [1, 6, 30], ids=["at-its-first-call", "before-a-heartbeat", "after-heartbeats"])
def test_a_stopped_worker_that_wakes_up_beside_its_successor_changes_nothing(installation: Make, calls: int) -> None:
    site = installation(**SETTINGS)
    base = site.mock_api(LATENCY_MIN_MS="50", LATENCY_MAX_MS="50")
    site.temporal()
    site.batchd("watch", name="watch")
    zombie = site.batchd("work", name="zombie")
    site.drop("users.csv", users(ROWS))
    eventually(lambda: api(base, "/calls")["total"] >= calls, "calls are made")

    zombie.send(signal.SIGSTOP)
    site.batchd("work", name="successor")
    eventually(lambda: api(base, "/calls")["total"] > calls + 12, "the successor goes on")
    zombie.send(signal.SIGCONT)

    judge(site, base, ROWS, kills=2)


def test_finished_chunks_that_are_damaged_while_paused_are_made_again(installation: Make) -> None:
    site = installation(**SETTINGS)
    site.mock_api(LATENCY_MIN_MS="40", LATENCY_MAX_MS="40")
    site.batchd()
    site.drop("users.csv", users(600))
    kinds = ("emptied", "flipped", "deleted", "torn")
    eventually(lambda: len(list(site.output_root.glob("batch-*/chunk-*.json"))) >= len(kinds), "chunks")
    assert site.batchctl("pause", "users.csv").returncode == 0
    for damage, chunk in zip(kinds, sorted(site.output_root.glob("batch-*/chunk-*.json")), strict=False):
        _damage(chunk, damage)
    assert site.batchctl("resume", "users.csv").returncode == 0

    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 601))
    assert site.batchctl("verify", str(folder)).returncode == 0


def _damage(chunk: Path, damage: str) -> None:
    content = bytearray(chunk.read_bytes())
    if damage == "deleted":
        chunk.unlink()
    elif damage == "emptied":
        chunk.write_bytes(b"")
    elif damage == "torn":
        chunk.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)


def test_an_output_folder_planted_as_a_symlink_fails_the_batch_and_is_not_followed(
    installation: Make, tmp_path: Path
) -> None:
    site = installation()
    site.mock_api()
    site.set(BATCH_SETTLE_S="1.5")
    site.batchd()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    site.drop("users.csv", users(3))
    claimed = _id_of(site, "users.csv")
    (site.output_root / f"batch-{claimed}").symlink_to(elsewhere)

    reported = eventually(lambda: next(iter(site.inbox.glob("failed/*/REASON.txt")), None), "a reason")
    assert "is not a folder of its own" in reported.read_text()
    assert list(elsewhere.iterdir()) == []


def _id_of(site: Installation, name: str) -> str:
    sha256 = hashlib.sha256((site.inbox / name).read_bytes()).hexdigest()
    return batch_id(name.encode(), identity_key("name+content", name=name.encode(), sha256=sha256))
