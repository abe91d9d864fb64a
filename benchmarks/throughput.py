"""Rows a second from drop to manifest, against the bare script, in pairs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from installation import Installation, manifest_of, users
from place import installation

HERE = Path(__file__).parent
PAIRS = 3


def throughput(latency_ms: int, rows: int, pairs: int = PAIRS) -> dict[str, object]:
    """Measure `pairs` pairs and return the median of the ratios with what was seen."""
    seen = [_pair(latency_ms, rows) for _ in range(pairs)]
    return {
        "latency_ms": latency_ms,
        "rows": rows,
        "batchd": round(median(each[0] for each in seen)),
        "bare": round(median(each[1] for each in seen)),
        "ratio": round(median(each[0] / each[1] for each in seen), 2),
        "ratios": [round(each[0] / each[1], 2) for each in seen],
    }


def _pair(latency_ms: int, rows: int) -> tuple[float, float]:
    with installation() as site:
        base = site.mock_api(LATENCY_MIN_MS=str(latency_ms), LATENCY_MAX_MS=str(latency_ms))
        source = site.root / "users.csv"
        source.write_text(users(rows))
        site.batchd()
        ours = _ours(site, source, rows)
        (site.root / "again.csv").write_text(users(rows))
        command = [sys.executable, str(HERE / "bare_client.py"), f"{base}/enrich", str(site.root / "again.csv")]
        bare = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return ours, bare


def _ours(site: Installation, source: Path, rows: int) -> float:
    took_s = seconds_to_manifest(site, source)
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == rows
    return rows / took_s


def seconds_to_manifest(site: Installation, source: Path) -> float:
    """Drop a file and return how long it took until its manifest was there."""
    started = time.perf_counter()
    source.rename(site.inbox / source.name)
    while not list(site.output_root.glob("batch-*/manifest.json")):
        time.sleep(0.01)
    return time.perf_counter() - started


if __name__ == "__main__":
    for milliseconds in (20, 0):
        print(throughput(milliseconds, 50_000))
