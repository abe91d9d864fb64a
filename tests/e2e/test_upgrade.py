"""A batch that one version began is ended by the next: version A is stopped in mid-batch, version B goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from earlier_versions import EARLIER, batchd_of
from installation import Installation, api, eventually, manifest_of, rows_of

Make = Callable[..., Installation]

ROWS = 600
QUOTED = {250: '"80""', 251: '"80"', 550: '"80""', 551: '"80"'}
"""Two quotes too many: in 0.1.0 each makes one record of two lines, and now of one."""
AMOUNTS = "id;net, EUR;tax, EUR;due, EUR\n" + "".join(
    f"{line};1,50;2,30;3,{QUOTED.get(line, '80')}\n" for line in range(1, ROWS + 1)
)
"""Read by commas in 0.1.0, which asks the header alone, and by semicolons since: one batch must not mix the two."""
READ_BY_COMMAS = {"0.1.0"}


@pytest.mark.parametrize("earlier", EARLIER)
@pytest.mark.parametrize(
    ("in_memory_bytes", "ended_by"),
    [("0", signal.SIGKILL), ("262144", signal.SIGTERM)],
    ids=["cursor-killed", "in-memory-stopped"],
)
def test_a_batch_begun_by_an_earlier_version_is_ended_by_this_one(
    installation: Make, tmp_path: Path, earlier: str, in_memory_bytes: str, ended_by: signal.Signals
) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES=in_memory_bytes, BATCH_PAGE_ROWS="100", BATCH_API_CONCURRENCY="8")
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    site.temporal()
    old = batchd_of(earlier, site, tmp_path / "old")
    site.drop("amounts.csv", AMOUNTS)
    eventually(lambda: 150 < api(base, "/calls")["total"] < ROWS, "the old version is in mid-batch")
    old.send(ended_by)
    old.wait()
    assert 0 < api(base, "/calls")["total"] < ROWS, "the batch was in its middle"
    site.batchd()
    [folder] = site.finished()
    rows, dialect = rows_of(folder), manifest_of(folder)["dialect"]
    assert all(row["enriched"] for row in rows)
    if earlier in READ_BY_COMMAS:
        assert (dialect["delimiter"], dialect["record_rules"]) == (",", 1)
        assert [row["_row"] for row in rows] == [row for row in range(1, ROWS - 1) if row not in {250, 549}]
        assert [row["id;net"] for row in rows] == [f"{n};1" for n in range(1, ROWS + 1) if n not in QUOTED]
    else:
        assert (dialect["delimiter"], dialect["record_rules"]) == (";", 2)
        assert [(row["_row"], row["id"]) for row in rows] == [(n, str(n)) for n in range(1, ROWS + 1)]
    source = next(site.inbox.glob("archive/*/amounts.csv"))
    assert site.batchctl("verify", str(folder), "--source", str(source)).returncode == 0
    repeated = api(base, "/calls")["repeated"]
    assert sum(times - 1 for times in repeated.values()) <= 8, "no more than was in flight"


def test_the_version_that_is_worked_on_is_none_of_those_that_are_kept() -> None:
    """A change of a version that is out would not be seen by its own histories."""
    assert version("batchd") not in EARLIER
