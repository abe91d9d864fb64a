"""A disk that fills up in mid-batch is a wait that says so, and not a reason to call the API again."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, api, eventually, manifest_of, rows_of, users
from temporalio.client import Client

Make = Callable[..., Installation]
ROWS = 600
IN_FLIGHT = 8


class Disk:
    """A disk with room for a part of the result only, until `make_room`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(root)]
        can = shutil.which("mount") is not None
        self._mounted = can and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self._limited: list[int] = []
        self.most_repeats = IN_FLIGHT if self._mounted else 2 * IN_FLIGHT
        """A limit on a file is met by each page for itself, the end of a disk by one of them for all."""

    def fill(self, workers: list[int]) -> None:
        """Where nothing can be mounted, limit how large a file of the worker's may be."""
        if not self._mounted:
            self._limited = workers
            self._limit(100_000)

    def make_room(self) -> None:
        if self._mounted:
            subprocess.run(["mount", "-o", "remount,size=64m", str(self.root)], check=True)  # noqa: S607
        self._limit(resource.RLIM_INFINITY)

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.root)], check=True)  # noqa: S607

    def _limit(self, size_bytes: int) -> None:
        for pid in self._limited:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


def test_a_full_disk_is_a_wait_that_names_it_and_calls_nobody_while_it_lasts(installation: Make, disk: Disk) -> None:
    site = installation(
        BATCH_OUTPUT_ROOT=str(disk.root), BATCH_API_CONCURRENCY=str(IN_FLIGHT), BATCH_IN_MEMORY_MAX_BYTES="0"
    )
    base = site.mock_api(LATENCY_MIN_MS="5", LATENCY_MAX_MS="5")
    service = site.batchd()
    disk.fill([pid for pid, line in site.children(service.pid) if b"--process-of" in line])
    site.drop("users.csv", users(ROWS, note="n" * 3_000))

    waiting = eventually(lambda: _waiting(site), "the batch waits for the disk")
    assert str(disk.root) in waiting["waiting"]["detail"]
    eventually(lambda: _attempts(site, waiting) > 2, "it was tried again and again")

    calls = api(base, "/calls")
    assert 0 < calls["total"] < ROWS, "the disk was full in the middle"
    assert sum(times - 1 for times in calls["repeated"].values()) <= disk.most_repeats

    disk.make_room()
    site.output_root = disk.root
    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, ROWS + 1))
    assert manifest_of(folder)["counts"]["enriched"] == ROWS
    assert sum(times - 1 for times in api(base, "/calls")["repeated"].values()) <= disk.most_repeats
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []
    assert [each["on"] for each in service.logged("batch.waiting")] == ["disk"]
    eventually(lambda: service.logged("batch.completed"), "the end is logged")
    assert len(service.logged("batch.running")) == len(service.logged("batch.completed")) == 1
    assert "Traceback" not in service.log.read_text()


def test_a_disk_without_room_for_another_file_is_the_same_wait(installation: Make, tmp_path: Path) -> None:
    root = tmp_path / "inodes"
    root.mkdir()
    site = installation(
        BATCH_OUTPUT_ROOT=str(root),
        BATCH_API_CONCURRENCY=str(IN_FLIGHT),
        BATCH_IN_MEMORY_MAX_BYTES="0",
        BATCH_PAGE_ROWS="50",
    )
    base = site.mock_api(LATENCY_MIN_MS="5", LATENCY_MAX_MS="5")
    with few_inodes(root) as (more, traps):
        service = site.batchd(**traps)
        site.drop("users.csv", users(ROWS))
        waiting = eventually(lambda: service.logged("batch.waiting"), "the batch waits for the disk")
        assert (waiting[0]["on"], str(root) in waiting[0]["why"]) == ("disk", True)
        more()
        site.output_root = root
        [folder] = site.finished()
        assert [row["_row"] for row in rows_of(folder)] == list(range(1, ROWS + 1))
        assert sum(times - 1 for times in api(base, "/calls")["repeated"].values()) <= 2 * IN_FLIGHT
        assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []


@contextlib.contextmanager
def few_inodes(root: Path) -> Iterator[tuple[Callable[[], None], dict[str, str]]]:
    """Yield what makes room for more files, and what to start the service with.

    Where nothing can be mounted, the calls that make a file fail as they do there, so many times.
    """
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=12,mode=0700", "tmpfs", str(root)]
    mounted = (
        shutil.which("mount") is not None and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )

    def more() -> None:
        if mounted:
            subprocess.run(["mount", "-o", "remount,nr_inodes=10000", str(root)], check=True)  # noqa: S607

    failing = ",".join(f"file.write.before:{nth}:error:ENOSPC" for nth in range(6, 18))
    try:
        yield more, {} if mounted else {"BATCHD_FAILPOINTS": failing}
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(root)], check=True)  # noqa: S607


def _waiting(site: Installation) -> dict[str, Any] | None:
    status = site.status("users.csv")
    return status if status["state"] == "waiting" and str(status["waiting_on"]).startswith("disk") else None


def _attempts(site: Installation, status: dict[str, Any]) -> int:
    """Return how often the page that was tried most was begun."""

    async def most() -> int:
        client = await Client.connect(f"127.0.0.1:{site.env['BATCH_SERVER_PORT']}")
        described = await client.get_workflow_handle(status["workflow_id"]).describe()
        return max((each.attempt for each in described.raw_description.pending_activities), default=0)

    return asyncio.run(most())
