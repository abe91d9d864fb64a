"""`make bench`: every figure that batchd promises, measured in one run.

A table goes to the terminal and to docs/performance.md, charts to docs/img/.

    make bench                    everything, about half an hour on two cores
    make bench ONLY=throughput    one part: throughput, small, crowd, hostile, kindness, scale, latency, feeds, shares,
                                  reading

Each module also runs alone, with the tests' installation at hand: PYTHONPATH=tests/support python benchmarks/scale.py
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from crowd import crowd
from feeds import many_feeds
from hostile import hostile
from kindness import bad_day, knee
from latency import drop_to_start, killed_worker, original, scan_cost, start_and_stop
from reading import reading
from scale import scale
from shared_limits import shared_limit, two_apis
from small_files import small_files
from throughput import throughput

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
Row = tuple[str, str, str]
"""What was measured, what is to be reached, what was seen."""


def measure_throughput() -> list[Row]:
    """Rows a second against the bare script."""
    rows: list[Row] = []
    for latency_ms, floor in ((20, ">= 0.95"), (0, ">= 0.85, aim 1.0")):
        seen = throughput(latency_ms, 50_000)
        text = f"{seen['ratio']} ({seen['batchd']:,} against {seen['bare']:,} rows/s; pairs {seen['ratios']})"
        rows.append((f"rows/s against the bare script, {latency_ms} ms API, 64 in flight, 50,000 rows", floor, text))
        _chart(latency_ms, seen)
    return rows


def measure_small() -> list[Row]:
    """Small files against bare workflows."""
    seen = small_files()
    text = f"{seen['ratio']} ({seen['batchd']} against {seen['bare']} files/s; pairs {seen['ratios']})"
    return [("1,000 files of 20 rows, files/s against bare workflows", ">= 2.5", text)]


def measure_crowd() -> list[Row]:
    """A small file beside fifty large ones."""
    seen = crowd()
    text = f"{seen['worst_s']} s (best of 3: {seen['best_s']} s; {seen['rows_per_s']:,} rows/s meanwhile)"
    return [("20 rows dropped while 50 files of 100,000 rows are worked, 20 ms API, to the manifest", "<= 10 s", text)]


def measure_hostile() -> list[Row]:
    """A file of 300 MB with a quote that nobody closes and a field of 100 MB, read in short pages and in long ones."""
    rows: list[Row] = []
    for page_rows in (500, 20_000):
        seen = hostile(300, page_rows)
        rejected = ", ".join(f"row {number:,} {reason}" for number, reason in seen["rejected"])
        text = f"{seen['mb_per_cpu_s']} MB a second of CPU, {seen['rss_growth_mib']} MiB; rejected: {rejected}"
        rows.append((f"a hostile file of 300 MB, pages of {page_rows:,} rows", "bounded, two records rejected", text))
    return rows


def measure_kindness() -> list[Row]:
    """A bad day of the API, and its knee."""
    bad, settled = bad_day(), knee()
    rates = f"{bad['bad']:,} against {bad['clean']:,} rows/s"
    in_flight = f"{settled['in_flight_median']:g} (most {settled['in_flight_most']})"
    return [
        ("rows/s with 10 % errors and slow tails, against a clean API", ">= 0.8", f"{bad['ratio']} ({rates})"),
        ("fallback rows with 10 % errors", "< 0.1 %", f"{bad['fallback_share']:.3%}"),
        ("calls in flight at an API with a knee at 32", "24 to 40", in_flight),
    ]


def measure_scale() -> list[Row]:
    """A million rows against ten thousand."""
    seen = scale()
    return [
        ("rows/s at 1,000,000 rows against 10,000", ">= 0.95", f"{seen['ratio']} ({seen['rows_per_s']:,} rows/s)"),
        ("worker memory, growth", "<= 50 MiB", f"{seen['rss_growth_mib']} MiB (to {seen['rss_mib']} MiB)"),
        ("events of the longest run", "< 5,000", f"{seen['events_of_longest_run']:,} ({seen['runs']} runs)"),
        ("largest event, which no payload exceeds", "<= 64 KiB", f"{seen['largest_payload_bytes']:,} bytes"),
        ("a cell of the file in the history", "none", "seen" if seen["canary_seen"] else "none"),
        ("`batchctl verify`: rows/s", "-", f"{seen['verify_rows_per_s']:,}"),
        ("`batchctl verify`: memory", "bounded", f"{seen['verify_rss_growth_mib']} MiB more than for 10,000 rows"),
    ]


def measure_latency() -> list[Row]:
    """What a person waits for."""
    service, kill, first = start_and_stop(), killed_worker(), original()
    events, rescan = drop_to_start(events=True), drop_to_start(events=False, drops=30)
    scans = ", ".join(f"{count}: {cost} ms" for count, cost in scan_cost().items())
    share = f"{first['fallback_share']:.1%} fallback rows"
    return [
        ("`batchd run` to ready, server included", "<= 5 s", f"{service['ready_s']} s"),
        ("SIGTERM in mid-batch to exit", "<= 30 s", f"{service['stopped_s']} s"),
        ("drop to workflow started, with events", "p99 <= 1 s", f"p50 {events['p50_s']} s, p99 {events['p99_s']} s"),
        ("drop to workflow started, events off", "p99 <= 11 s", f"p50 {rescan['p50_s']} s, p99 {rescan['p99_s']} s"),
        ("kill -9 of the worker: no call for", "<= 13 s", f"{kill['gap_s']} s"),
        ("kill -9 of the worker: calls made twice", "<= 64", f"{kill['calls_made_twice']}"),
        ("the original's 1,000 rows and API (329.8 s)", ">= 30x", f"{first['times_faster']}x, {share}"),
        ("one scan, files waiting", "-", scans),
    ]


def measure_feeds() -> list[Row]:
    """Many feeds against one."""
    seen = many_feeds()
    later, more = seen["later (s)"], seen["more (% of a core)"]
    ready = f"{later} s ({seen['ready, 200 feeds (s)']} against {seen['ready, 1 feed (s)']} s)"
    idle = [seen[f"idle, {feeds} (% of a core)"] for feeds in ("200 feeds", "1 feed")]
    return [
        ("200 feeds: ready later than with one", "<= 2 s", ready),
        (
            "200 feeds: more of a core while idle",
            "<= 2 %",
            f"{more} % ({idle[0]} against {idle[1]} %)",
        ),
    ]


def measure_shares() -> list[Row]:
    """What several processes make of one limit, and what the outage of one API costs another."""
    shared, beside = shared_limit(), two_apis()
    return [
        (
            "rows/s of a batch in one of 3 processes, against one process alone",
            ">= 0.9",
            f"{shared['ratio']} ({shared['shared']:,} against {shared['alone']:,} rows/s)",
        ),
        (
            "rows/s of a feed while the API of another is down, against idle",
            ">= 0.9",
            f"{beside['ratio']} ({beside['down']:,} against {beside['idle']:,} rows/s)",
        ),
    ]


def measure_reading() -> list[Row]:
    """Reading alone, beside Python's own csv.reader."""
    rows: list[Row] = []
    for seen in reading():
        usual = seen["csv_reader_mb_s"]
        for way in ("rows_of", "find_pages"):
            text = f"{seen[f'{way}_ratio']} ({seen[f'{way}_mb_s']} against {usual} MB/s of CPU)"
            rows.append((f"`{way}` of a {seen['file']} file against csv.reader", ">= 0.5", text))
        rows.append((f"the same, memory of `rows_of`, {seen['file']}", "<= 10 MiB", f"{seen['rows_of_peak_mib']} MiB"))
    return rows


PARTS: dict[str, Callable[[], list[Row]]] = {
    "throughput": measure_throughput,
    "small": measure_small,
    "crowd": measure_crowd,
    "hostile": measure_hostile,
    "kindness": measure_kindness,
    "scale": measure_scale,
    "latency": measure_latency,
    "feeds": measure_feeds,
    "shares": measure_shares,
    "reading": measure_reading,
}


def main() -> None:
    """Measure what was asked for and write it down."""
    asked = sys.argv[1:] or list(PARTS)
    rows: list[Row] = []
    for name in asked:
        print(f"measuring {name} ...", flush=True)
        found = PARTS[name]()
        for what, goal, seen in found:
            print(f"  {what}: {seen}   (to reach: {goal})", flush=True)
        rows += found
    if set(asked) == set(PARTS):
        _write(rows)


def _write(rows: list[Row]) -> None:
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    machine = f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, {platform.system()}"
    stamp = f"Measured on {datetime.now(tz=UTC):%Y-%m-%d} by `make bench` on {machine}."
    lines = [stamp, "", "| figure | to reach | seen |", "| --- | --- | --- |"]
    lines += [f"| {what} | {goal} | {seen} |" for what, goal, seen in rows]
    table = "\n".join(lines)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def _chart(latency_ms: int, seen: dict[str, object]) -> None:
    """Write one bar chart: the bare script above, batchd below."""
    bars = [("bare script", float(str(seen["bare"])), "#9aa5b1"), ("batchd", float(str(seen["batchd"])), "#2f6fdb")]
    most = max(value for _, value, _ in bars)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="120" font-family="sans-serif" font-size="14">'
    ]
    parts.append(f'<text x="10" y="20">rows a second, {latency_ms} ms API, 64 calls in flight</text>')
    for line, (name, value, colour) in enumerate(bars):
        y = 36 + 40 * line
        parts.append(f'<text x="10" y="{y + 20}">{name}</text>')
        parts.append(f'<rect x="110" y="{y}" width="{440 * value / most:.0f}" height="28" fill="{colour}"/>')
        parts.append(f'<text x="{116 + 440 * value / most:.0f}" y="{y + 20}">{value:,.0f}</text>')
    folder = DOCS / "img"
    folder.mkdir(exist_ok=True)
    (folder / f"throughput-{latency_ms}ms.svg").write_text("\n".join([*parts, "</svg>"]) + "\n")


if __name__ == "__main__":
    main()
