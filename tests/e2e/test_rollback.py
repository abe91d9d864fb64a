"""An older version in mid-batch: it leaves what a newer one has begun alone and says so, and the newer one goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from earlier_versions import EARLIER, batchd_of
from installation import Installation, api, eventually, rows_of, users
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from daemon.checker.site import Evidence, check_site

Make = Callable[..., Installation]

ROWS = 600
IN_FLIGHT = 8
CANNOT_READ = "Failed decoding arguments"
"""What each version that is kept says of a request that is not for it."""


def on_disk(site: Installation) -> dict[str, str]:
    """Return each file of results and of the inbox with a hash of its content."""
    files = [each for root in (site.output_root, site.inbox) for each in root.rglob("*") if each.is_file()]
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def runs(pid: int, command: bytes) -> bool:
    """Return whether a process is still there; of one that nobody has waited for no command is left."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() == command
    return False


async def ask_for_progress(site: Installation) -> None:
    """Ask the workflow of the batch how far it is, which has a worker read it."""
    client = await Client.connect(site.env["TEMPORAL_ADDRESS"])
    [batch] = [each.stem for each in site.state_dir.glob("receipts/*.json")]
    with contextlib.suppress(RPCError, WorkflowQueryFailedError):
        await client.get_workflow_handle(f"batch-{batch}").query("progress", rpc_timeout=timedelta(seconds=2))


def rolled_back(site: Installation, base: str, earlier: str) -> None:
    """Run an earlier version until it has said that it cannot go on with the batch; it must not touch any of it."""
    before, calls = on_disk(site), api(base, "/calls")["total"]
    old = batchd_of(earlier, site, site.root / "old")

    def refused() -> bool:
        asyncio.run(ask_for_progress(site))
        assert old.running(), old.log.read_text()
        return CANNOT_READ in old.log.read_text()

    eventually(refused, "the older version says that it cannot")
    assert old.stop() == 0
    assert on_disk(site) == before, "it has moved, written and removed nothing"
    assert api(base, "/calls")["total"] == calls, "it has called nobody"


def judge(site: Installation, base: str, *, most_repeats: int) -> None:
    """Let this version end the batch, and have it judged from outside."""
    again = site.batchd(name="again")
    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, ROWS + 1))
    eventually(site.at_rest, "its source is filed and its receipt says so")
    calls = api(base, "/calls")["repeated"]
    evidence = Evidence(state_dir=site.state_dir, calls=calls, most_repeats=most_repeats)
    assert [str(each) for each in check_site(evidence)] == []
    again.stop()


@pytest.mark.parametrize("earlier", EARLIER)
@pytest.mark.parametrize(
    ("in_memory_bytes", "ended_by"),
    [("0", signal.SIGKILL), ("262144", signal.SIGTERM)],
    ids=["cursor-killed", "in-memory-stopped"],
)
def test_an_older_version_leaves_a_batch_alone_and_the_newer_one_ends_it(
    installation: Make, earlier: str, in_memory_bytes: str, ended_by: signal.Signals
) -> None:
    site = installation(
        BATCH_IN_MEMORY_MAX_BYTES=in_memory_bytes, BATCH_PAGE_ROWS="100", BATCH_API_CONCURRENCY=str(IN_FLIGHT)
    )
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    site.temporal()
    new = site.batchd()
    site.drop("users.csv", users(ROWS))
    eventually(lambda: 150 < api(base, "/calls")["total"] < ROWS, "the batch is in its middle")
    workers = site.children(new.pid)
    new.send(ended_by)
    new.wait()
    eventually(lambda: not any(runs(pid, command) for pid, command in workers), "its worker has ended too")
    assert 0 < api(base, "/calls")["total"] < ROWS
    rolled_back(site, base, earlier)
    judge(site, base, most_repeats=IN_FLIGHT)
    site.drop("users.csv", users(ROWS))
    batchd_of(earlier, site, site.root / "old")
    eventually((site.inbox / "duplicates" / "users.csv").exists, "what has ended is known to the older version")


@pytest.mark.parametrize("earlier", EARLIER)
def test_an_older_version_calls_no_api_for_a_batch_whose_api_is_described(installation: Make, earlier: str) -> None:
    """It knows nothing of descriptions, and would call what its own settings name."""
    site = installation()
    base = site.mock_api()
    site.temporal()
    site.describe(f'[api.people]\nurl = "{base}/enrich"')
    watching = site.batchd("watch")
    site.drop("users.csv", users(ROWS))
    eventually(lambda: watching.logged("batch.started"), "the batch is started, and nobody works")
    watching.stop()
    described = site.env.pop("BATCH_CONFIG")
    site.set(BATCH_INBOX=str(site.inbox), BATCH_API_URL=f"{base}/enrich")
    rolled_back(site, base, earlier)
    del site.env["BATCH_INBOX"], site.env["BATCH_API_URL"]
    site.set(BATCH_CONFIG=described)
    judge(site, base, most_repeats=0)
