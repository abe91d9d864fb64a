"""The clock of the host is set in mid-batch, forwards and back: no row is lost, doubled or called again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation, api, eventually, users

from daemon.checker.site import Evidence, check_site

Make = Callable[..., Installation]
ROWS = 240

pytestmark = pytest.mark.system_tool("faketime", package="faketime")


def preloaded() -> str:
    """Return the library behind `faketime`, which lies in the folder of libraries of this machine."""
    [found] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return str(found)


class Clock:
    """The clock of programs that run with `env`. What measures how long something takes is not faked."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.env = {
            "LD_PRELOAD": preloaded(),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.jump("+0")

    def jump(self, offset: str) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{offset}\n")
        beside.replace(self.file)


@pytest.mark.parametrize("halves", [("watch", "work"), ("work",)], ids=["of-both", "of-the-worker-alone"])
def test_a_clock_that_jumps_by_days_in_mid_batch_changes_no_result(
    installation: Make, temporal_address: str, tmp_path: Path, halves: tuple[str, ...]
) -> None:
    site = installation(
        BATCH_IN_MEMORY_MAX_BYTES="0",
        BATCH_PAGE_ROWS="20",
        BATCH_PAGES_IN_FLIGHT="2",
        BATCH_API_CONCURRENCY="4",
        BATCH_HEARTBEAT_TIMEOUT_S="60",  # a busy machine is no jump of a clock
        BATCH_TASK_QUEUE=f"clock-{len(halves)}",
        TEMPORAL_ADDRESS=temporal_address,
    )
    clock = Clock(tmp_path / "clock")
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    for half in ("watch", "work"):
        site.batchd(half, name=half, **(clock.env if half in halves else {}))
    for number, jumps in enumerate((("+3d", "-1h"), ("-400d", "+0"))):
        name = f"jumps-{len(halves)}-{number}.csv"
        site.drop(name, users(ROWS, note=name))
        for step, jump in enumerate(jumps, 1):
            enough = number * ROWS + step * ROWS // 4
            eventually(lambda least=enough: api(base, "/calls")["total"] > least, "calls are made")
            clock.jump(jump)
        site.result_of(name)
        eventually(lambda: not any((site.inbox / ".processing").glob("[!.]*")), "the claim goes")
    # What was dropped in another time is dropped again, and a further file comes while the clock is back.
    again = f"jumps-{len(halves)}-0.csv"
    site.drop(again, users(ROWS, note=again))
    eventually((site.inbox / "duplicates" / again).exists, "it is a duplicate still")

    first = json.loads(next((site.state_dir / "receipts").glob(f"{again.removesuffix('.csv')}-*.json")).read_bytes())
    assert first["finished_at"] < first["claimed_at"], "the clock has jumped"
    calls = api(base, "/calls?keys=true")["keys"]
    assert len(calls) == 2 * ROWS
    assert check_site(Evidence(state_dir=site.state_dir, calls=calls, most_repeats=0)) == []
