"""A thousand files of twenty rows, against bare workflows with as many activities that do nothing."""

from __future__ import annotations

import asyncio
import time
from statistics import median

from bare_workflow import files_a_second
from installation import users
from place import installation


def small_files(files: int = 1_000, rows: int = 20, pairs: int = 1) -> dict[str, object]:
    """Measure pairs on one server each and return the median of the ratios. A pair takes six minutes on two cores."""
    seen = [_pair(files, rows) for _ in range(pairs)]
    return {
        "files": files,
        "batchd": round(median(each[0] for each in seen), 1),
        "bare": round(median(each[1] for each in seen), 1),
        "ratio": round(median(each[0] / each[1] for each in seen), 2),
        "ratios": [round(each[0] / each[1], 2) for each in seen],
    }


def _pair(files: int, rows: int) -> tuple[float, float]:
    with installation() as site:
        site.mock_api()
        site.batchd()
        waiting = site.root / "waiting"
        waiting.mkdir()
        for number in range(files):
            (waiting / f"users-{number}.csv").write_text(users(rows, number=str(number)))
        started = time.perf_counter()
        for path in waiting.iterdir():
            path.rename(site.inbox / path.name)
        while sum(1 for _ in site.output_root.glob("batch-*/manifest.json")) < files:
            time.sleep(0.5)  # each look at a thousand folders takes time from those that do the work
        ours = files / (time.perf_counter() - started)
        site.finished(files, deadline_s=120)
        bare = asyncio.run(files_a_second(f"127.0.0.1:{site.env['BATCH_SERVER_PORT']}", files, starts_in_flight=8))
        return ours, bare


if __name__ == "__main__":
    print(small_files())
