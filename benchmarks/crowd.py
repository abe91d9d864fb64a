"""A file of twenty rows dropped while fifty of a hundred thousand are worked: how long it takes."""

from __future__ import annotations

import time

from installation import Installation, api, eventually, users
from place import installation

FILES = 50
ROWS = 100_000


def crowd(files: int = FILES, rows: int = ROWS, drops: int = 3) -> dict[str, float]:
    """Drop `files` large files and, once all of them are worked, `drops` small ones one after the other."""
    with installation() as site:
        base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
        waiting = site.root / "waiting"
        waiting.mkdir()
        for number in range(files):
            (waiting / f"large-{number}.csv").write_text(users(rows, number=str(number)))
        site.batchd()
        for path in waiting.iterdir():
            path.rename(site.inbox / path.name)
        eventually(lambda: _being_worked(site) == files, f"all {files} files are being worked", 300)
        calls, began = api(base, "/calls")["total"], time.perf_counter()
        took_s = [_small(site, number) for number in range(drops)]
        rows_per_s = (api(base, "/calls")["total"] - calls) / (time.perf_counter() - began)
        return {"worst_s": round(max(took_s), 1), "best_s": round(min(took_s), 1), "rows_per_s": round(rows_per_s)}


def _being_worked(site: Installation) -> int:
    return sum(1 for each in site.outputs() if any(each.glob("chunk-*")) or any(each.glob(".part-*")))


def _small(site: Installation, number: int) -> float:
    """Return the seconds from the drop of a file of twenty rows to its manifest."""
    source = site.root / f"small-{number}.csv"
    source.write_text(users(20, number=str(number)))
    began = time.perf_counter()
    source.rename(site.inbox / source.name)
    while not list(site.output_root.glob(f"batch-small-{number}-*/manifest.json")):
        time.sleep(0.01)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(crowd())
