"""What traces cost: CPU of the worker for a row, and rows a second, without the extra and at two rates of calls.

The variants take turns in each round, so that whatever else runs on the machine meets them all.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median

from described_api import described_api
from installation import Installation, users
from place import installation
from throughput import seconds_to_manifest

ROWS, ROUNDS = 20_000, 5
HIDDEN = "import sys; sys.modules['opentelemetry.sdk'] = None\n"
TICKS = os.sysconf("SC_CLK_TCK")


def traces(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Return the medians of each variant: microseconds of CPU of the worker a row, their ratio, the ratio of rows/s."""
    with described_api(lambda _: (200, b"")) as collector:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        variants = {
            "no extra": {"PYTHONPATH": "hidden"},
            "no endpoint": {},
            "one call in 100": {**endpoint, "BATCH_TRACE_CALLS_EVERY": "100"},
            "every call": {**endpoint, "BATCH_TRACE_CALLS_EVERY": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "100000"},
        }
        seen = [{name: _run(settings, rows) for name, settings in variants.items()} for _ in range(rounds)]
    return {
        name: {
            "cpu_us": round(median(each[name][0] for each in seen), 1),
            "cpu_ratio": round(median(each[name][0] / each["no extra"][0] for each in seen), 3),
            "speed_ratio": round(median(each[name][1] / each["no extra"][1] for each in seen), 3),
        }
        for name in variants
    }


def _run(settings: dict[str, str], rows: int) -> tuple[float, float]:
    """Return microseconds of CPU of the worker a row, and rows a second."""
    with installation(BATCH_WORKERS="1") as site:
        site.mock_api(LATENCY_MIN_MS="0", LATENCY_MAX_MS="0")
        if "PYTHONPATH" in settings:
            (site.root / "sitecustomize.py").write_text(HIDDEN)
            settings = {"PYTHONPATH": str(site.root)}
        source = site.root / "users.csv"
        source.write_text(users(rows))
        service = site.batchd(**settings)
        worker = _worker(site, service.pid)
        before_s = _cpu_s(worker)
        took_s = seconds_to_manifest(site, source)
        return (_cpu_s(worker) - before_s) / rows * 1e6, rows / took_s


def _worker(site: Installation, pid: int) -> int:
    [worker] = [child for child, line in site.children(pid) if b"--process-of" in line]
    return worker


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    rows, rounds = (int(each) for each in sys.argv[1:3]) if len(sys.argv) > 2 else (ROWS, ROUNDS)
    for variant, figures in traces(rows, rounds).items():
        print(variant, figures)
