"""A million rows against ten thousand.

Speed, memory of the worker, events a run, the largest payload, no cell of the file anywhere in the history, and what
it takes to verify the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from pathlib import Path

from installation import BIN, manifest_of
from place import installation
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from workflow_histories import histories, holds

CANARY = "c4n4ry"
"""Stands in every cell of the file."""


def scale(large: int = 1_000_000, small: int = 10_000) -> dict[str, object]:
    """Measure a small and a large file, each with a fresh worker."""
    few, many = _one(small), _one(large)
    return {
        "rows": large,
        "rows_per_s": many["rows_per_s"],
        "ratio": round(float(many["rows_per_s"]) / float(few["rows_per_s"]), 2),
        "rss_mib": many["rss_mib"],
        "rss_growth_mib": round(float(many["rss_mib"]) - float(few["rss_mib"]), 1),
        "events_of_longest_run": many["events"],
        "runs": many["runs"],
        "largest_payload_bytes": many["largest_payload"],
        "canary_seen": many["canary_seen"],
        "verify_rows_per_s": many["verify_rows_per_s"],
        "verify_rss_mib": many["verify_rss_mib"],
        "verify_rss_growth_mib": round(float(many["verify_rss_mib"]) - float(few["verify_rss_mib"]), 1),
    }


def _one(rows: int) -> dict[str, float]:
    with installation(BATCH_IN_MEMORY_MAX_BYTES="0") as site:
        site.mock_api()
        service = site.batchd()
        source = site.root / "users.csv"
        _write(source, rows)
        source.rename(site.inbox / source.name)
        [folder] = site.finished(deadline_s=7_200)
        [worker] = [pid for pid, line in site.children(service.pid) if b"--process-of" in line]
        manifest = manifest_of(folder)
        rss_mib = _peak_rss_mib(worker)
        verify_s, verify_rss_mib = _verified(folder)
        address = f"127.0.0.1:{site.env['BATCH_SERVER_PORT']}"
        kept = asyncio.run(histories(address, manifest["workflow_id"], manifest["run_ids"]))
        assert holds(kept[0], source.name), "what stands in a history is found"
        return {
            "rows_per_s": manifest["timing"]["rows_per_s"],
            "rss_mib": rss_mib,
            "verify_rows_per_s": round(rows / verify_s),
            "verify_rss_mib": verify_rss_mib,
            "runs": len(kept),
            "events": max(len(each.events) for each in kept),
            "largest_payload": max(_largest_payload(each) for each in kept),
            "canary_seen": any(holds(each, CANARY) for each in kept),
        }


def _write(path: Path, rows: int) -> None:
    with path.open("w") as out:
        out.write("id,first_name,country\n")
        out.writelines(f"{CANARY}{row},{CANARY} {row},{CANARY}-DE\n" for row in range(1, rows + 1))


def _verified(folder: Path) -> tuple[float, float]:
    """Verify the output; return the seconds it took and the peak memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen([str(BIN / "batchctl"), "verify", str(folder)], stdout=subprocess.DEVNULL)
    rss_mib = 0.0
    while process.poll() is None:
        # Sampled, because what the kernel reports of an ended child includes its parent's memory before exec.
        with contextlib.suppress(IndexError, OSError):
            rss_mib = _peak_rss_mib(process.pid)
        time.sleep(0.01)
    assert process.returncode == 0, "the output does not verify"
    return time.perf_counter() - began, rss_mib


def _largest_payload(history: WorkflowHistory) -> int:
    """Return the size of the largest event, which no payload exceeds."""
    return max(event.ByteSize() for event in history.events if event.event_type != EventType.EVENT_TYPE_UNSPECIFIED)


def _peak_rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1_024, 1)


if __name__ == "__main__":
    began = time.perf_counter()
    print(scale(), round(time.perf_counter() - began), "s")
