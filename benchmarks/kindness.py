"""What a bad day of the API costs, and where the number of calls at once settles by itself."""

from __future__ import annotations

import time
from statistics import median

from installation import Installation, api, eventually, manifest_of, users
from place import installation

LATENCY = {"LATENCY_MIN_MS": "20", "LATENCY_MAX_MS": "20"}


def bad_day(rows: int = 20_000, pairs: int = 3) -> dict[str, object]:
    """Rows a second with a tenth of errors and a slow hundredth of answers, against an API without either."""
    seen = [(_rows_per_s(rows), _rows_per_s(rows, bad=True)) for _ in range(pairs)]
    return {
        "clean": round(median(clean[0] for clean, _ in seen)),
        "bad": round(median(bad[0] for _, bad in seen)),
        "ratio": round(median(bad[0] / clean[0] for clean, bad in seen), 2),
        "fallback_share": sum(bad[1] for _, bad in seen) / (rows * pairs),
    }


def _rows_per_s(rows: int, *, bad: bool = False) -> tuple[float, int]:
    """Return rows a second and the number of fallback rows."""
    with installation() as site:
        base = site.mock_api(**LATENCY)
        if bad:
            api(base, "/faults", {"kind": "status", "status": 500, "share": 0.1})
            api(base, "/faults", {"kind": "status", "status": 200, "delay_s": 0.2, "share": 0.01})
        _start(site, rows)
        [folder] = site.finished(deadline_s=300)
        manifest = manifest_of(folder)
        return manifest["timing"]["rows_per_s"], manifest["counts"]["fallback"]


def knee(at: int = 32, settle_s: float = 15.0, watched_s: float = 10.0) -> dict[str, object]:
    """The calls in flight at an API that answers `at` calls at once in 50 ms and more of them more slowly."""
    with installation() as site:
        base = site.mock_api(LATENCY_MIN_MS="50", LATENCY_MAX_MS="50", KNEE=str(at))
        _start(site, 100_000)
        eventually(lambda: api(base, "/calls")["total"] > 0, "calls are made")
        time.sleep(settle_s)
        end, seen = time.monotonic() + watched_s, []
        while time.monotonic() < end:
            seen.append(api(base, "/calls")["in_flight"])
            time.sleep(0.02)
        return {"knee": at, "in_flight_median": median(seen), "in_flight_most": max(seen)}


def _start(site: Installation, rows: int) -> None:
    site.batchd()
    source = site.root / "users.csv"
    source.write_text(users(rows))
    source.rename(site.inbox / source.name)


if __name__ == "__main__":
    print(bad_day())
    print(knee())
