"""`batchctl set` while a batch runs: at once, over all its pages, and with no row called twice."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation, api, eventually, manifest_of, rows_of, users

Make = Callable[..., Installation]


def test_a_limit_takes_hold_in_the_middle_of_a_page_and_can_be_lifted_again(installation: Make) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES="0", BATCH_API_CONCURRENCY="8", BATCH_PAGE_ROWS="2000")
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    site.batchd()
    site.drop("users.csv", users(2_500))
    eventually(lambda: api(base, "/calls")["total"] > 50, "calls are made")

    done = site.batchctl("set", "users.csv", "concurrency=1", "--reason", "month end")
    assert done.returncode == 0, done.stderr
    eventually(lambda: api(base, "/calls")["in_flight"] <= 1, "the limit takes hold")
    assert list(site.output_root.glob("batch-*/chunk-*.json")) == [], "no page has ended yet"
    eventually(lambda: _most_in_flight(base) == 1, "one call at a time")
    assert site.batchctl("set", "--all", "concurrency=8", "rate=0").returncode == 0

    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 2_501))
    assert [(each["concurrency"], each["reason"]) for each in manifest_of(folder)["limits"]] == [
        (1, "month end"),
        (8, ""),
    ]
    assert manifest_of(folder)["api"]["calls"] == 2_500, "no row is called twice"


def _most_in_flight(base: str) -> int:
    """Return the most calls at once among the next twenty."""
    api(base, "/calls", method="DELETE")
    eventually(lambda: api(base, "/calls")["total"] > 20, "calls go on")
    return int(api(base, "/calls")["most_in_flight"])
