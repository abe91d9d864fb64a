"""What several worker processes make of one limit, and what an API that is down costs the feed of another."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median

from installation import Installation, api, eventually, manifest_of, users
from place import installation

ROWS = 4_000
LATENCY = {"LATENCY_MIN_MS": "20", "LATENCY_MAX_MS": "20"}
CONCURRENCY = 24


def shared_limit(pairs: int = 3, processes: int = 3) -> dict[str, object]:
    """Rows a second of one batch, whose pages are in one process, with several processes against one alone."""
    seen = [(_one_batch(1), _one_batch(processes)) for _ in range(pairs)]
    return {
        "alone": round(median(alone for alone, _ in seen)),
        "shared": round(median(shared for _, shared in seen)),
        "ratio": round(median(shared / alone for alone, shared in seen), 2),
    }


def two_apis(pairs: int = 3) -> dict[str, object]:
    """Rows a second of a feed while the API of another is down, against the same while it answers and has no work."""
    seen = [(_beside(down=False), _beside(down=True)) for _ in range(pairs)]
    return {
        "idle": round(median(idle for idle, _ in seen)),
        "down": round(median(down for _, down in seen)),
        "ratio": round(median(down / idle for idle, down in seen), 2),
    }


def _one_batch(processes: int) -> float:
    with installation(BATCH_WORKERS=str(processes), BATCH_API_CONCURRENCY=str(CONCURRENCY)) as site:
        base = site.mock_api(**LATENCY)
        site.set(BATCH_PAGE_ROWS=str(ROWS))
        site.batchd()
        _move_in(site, site.inbox, "users.csv")
        [folder] = site.finished(deadline_s=300)
        assert api(base, "/calls")["most_in_flight"] <= CONCURRENCY
        return float(manifest_of(folder)["timing"]["rows_per_s"])


def _beside(*, down: bool) -> float:
    with installation(BATCH_WORKERS="2") as site:
        well, ill = (_described(site, name) for name in ("well", "ill"))
        feeds = {name: {"inbox": str(site.root / name), "api": name} for name in ("well", "ill")}
        site.describe_feeds(well[1] + ill[1], feeds)
        service = site.batchd()
        if down:
            api(ill[0], "/faults", {"kind": "status", "status": 503, "share": 1.0})
            for number in range(5):
                _move_in(site, site.root / "ill", f"ill-{number}.csv")
            eventually(lambda: service.logged("api.down"), "it is known that the API is down")
            time.sleep(1)  # the batches wait by now
        _move_in(site, site.root / "well", "well.csv")
        return float(manifest_of(site.result_of("well.csv"))["timing"]["rows_per_s"])


def _described(site: Installation, name: str) -> tuple[str, str]:
    """Return the address of an API of its own, and its section."""
    base = site.mock_api(**LATENCY)
    return base, f"[api.{name}]\nurl = {json.dumps(base + '/enrich')}\nconcurrency = {CONCURRENCY}\n"


def _move_in(site: Installation, inbox: Path, name: str) -> None:
    source = site.root / name
    source.write_text(users(ROWS, of=name))
    source.rename(inbox / name)


if __name__ == "__main__":
    print(shared_limit())
    print(two_apis())
