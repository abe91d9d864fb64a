"""No further process or thread, as where a user or a service has as many as it may have: RLIMIT_NPROC, TasksMax."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, Process, api, eventually, free_port, rows_of, users
from probes import probed

from daemon.checker.site import Evidence, check_site

ROWS = 600
IN_FLIGHT = 8
SPARE_UID = 54_321
"""The limit does not count for root, whose services here are those of a user that nobody is."""
SEEING = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
"""So that it can run a Python in the folders of root."""


@pytest.fixture
def site() -> Iterator[Installation]:
    """An installation in a folder that another user may enter, as the temporary ones of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="batchd-") as folder:
        root = Path(folder)
        made = Installation(root, BATCH_PAGE_ROWS="100", BATCH_API_CONCURRENCY=str(IN_FLIGHT), HOME=folder)
        made.set(BATCH_HEALTH_ADDRESS=f"127.0.0.1:{free_port()}")
        yield made
        made.close()


def as_user(*command: str) -> list[str]:
    """Return the command as of a user for whom the limit counts."""
    if os.getuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={SPARE_UID}", f"--regid={SPARE_UID}", "--clear-groups", *SEEING, *command]


def may_have(service: Process, processes: str) -> None:
    """Set how many processes the user of the service may have when it starts one more."""
    subprocess.run(as_user("prlimit", f"--pid={service.pid}", f"--nproc={processes}:"), check=True)


def started(site: Installation) -> Process:
    if os.getuid() == 0:
        for each in (site.root, *site.root.iterdir()):
            os.chown(each, SPARE_UID, SPARE_UID)
    service = site.start("batchd", as_user(str(site.programs / "batchd"), "run"))
    eventually(lambda: service.logged("daemon.ready") or not service.running(), "batchd is ready")
    assert service.running(), service.log.read_text()
    return service


def workers(site: Installation, service: Process) -> list[int]:
    return [pid for pid, line in site.children(service.pid) if b"--process-of" in line]


def test_a_service_that_may_start_no_further_process_says_so_and_goes_on_by_itself_once_it_may(
    site: Installation,
) -> None:
    base = site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20")
    service = started(site)
    port = int(site.env["BATCH_HEALTH_ADDRESS"].rpartition(":")[2])
    site.drop("users.csv", users(ROWS))
    eventually(lambda: 100 < api(base, "/calls")["total"] < ROWS, "the batch is in its middle")

    before = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    may_have(service, "1")
    [worker] = workers(site, service)
    os.kill(worker, signal.SIGKILL)
    failed = eventually(lambda: service.logged("child.not_started")[2:], "it has tried, and tries again")
    assert "Resource temporarily unavailable" in failed[0]["error"]
    assert (probed(port, "/livez"), probed(port, "/readyz")) == (200, 503)
    assert str(site.status("users.csv")["waiting_on"]).startswith("worker")
    site.drop("more.csv", users(30))
    may_have(service, str(before) if before != resource.RLIM_INFINITY else "unlimited")

    eventually(lambda: probed(port, "/readyz") == 200, "it is ready again, without a hand")
    assert service.running()
    folders = site.finished(2)
    assert sorted(len(rows_of(folder)) for folder in folders) == [30, ROWS]
    eventually(site.at_rest, "both are filed, and their receipts say so")
    calls = api(base, "/calls")["repeated"]
    found = check_site(Evidence(state_dir=site.state_dir, calls=calls, most_repeats=IN_FLIGHT))
    assert [str(each) for each in found] == []
