"""An outage of the API in mid-batch, through the whole system: a wait, visible as one, and no fallback row."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from installation import Installation, api, eventually, manifest_of, rows_of, users
from scripted_api import scripted_api_beside

Make = Callable[..., Installation]
SETTINGS = {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_PAGE_ROWS": "50", "BATCH_API_CONCURRENCY": "8"}


@pytest.fixture(scope="module")
def service(lasting_installation: Make) -> tuple[Installation, str]:
    """A running batchd and the address of its mock API, for the tests that leave both as they were."""
    site = lasting_installation(BATCH_API_CONCURRENCY="4")
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")
    site.batchd()
    return site, base


@pytest.fixture
def well(service: tuple[Installation, str]) -> tuple[Installation, str]:
    """That service, whose API has no faults and has not been called."""
    for path in ("/faults", "/calls"):
        api(service[1], path, method="DELETE")
    return service


def test_an_outage_in_mid_batch_is_a_wait_over_a_kill_of_worker_and_server(installation: Make) -> None:
    site = installation(**SETTINGS)
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")
    service = site.batchd()
    site.drop("users.csv", users(800))
    eventually(lambda: api(base, "/calls")["total"] > 100, "calls are being made")

    api(base, "/faults", {"kind": "status", "status": 503, "share": 1.0})
    status = eventually(lambda: _waiting(site), "the batch waits for the API")
    assert status["waiting_on"] == "api"
    for pid, line in site.children(service.pid):
        if b"--process-of" in line or b"start-dev" in line:
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: _waiting(site), "it waits again after the kill")
    calls = api(base, "/calls")["total"]
    api(base, "/faults", method="DELETE")

    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["fallback"] == 0
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 801))
    assert calls < 500, "no storm while it was down"


def test_a_name_that_does_not_resolve_is_a_wait_that_names_the_host(installation: Make) -> None:
    site = installation(BATCH_API_URL="http://no-such-host.invalid/enrich")
    site.batchd()
    site.drop("users.csv", users(30))
    status = eventually(lambda: _waiting(site), "the batch waits for the API")
    assert "the name no-such-host.invalid does not resolve" in str(status["waiting"])


def test_refused_credentials_pause_the_batch_and_resume_goes_on_after_they_are_mended(
    well: tuple[Installation, str],
) -> None:
    site, base = well
    api(base, "/faults", {"kind": "status", "status": 401, "share": 1.0})
    site.drop("refused.csv", users(30))
    status = eventually(lambda: _state(site, "paused", "refused.csv"), "the batch pauses")
    assert "BATCH_API_TOKEN" in status["paused"]["reason"]
    told = site.batchctl("doctor")
    assert (told.returncode, "mend that, then: batchctl resume --all" in told.stdout) == (1, True), told.stdout

    api(base, "/faults", method="DELETE")
    assert site.batchctl("resume", "refused.csv").returncode == 0
    assert manifest_of(site.result_of("refused.csv"))["counts"]["enriched"] == 30


def test_a_path_that_is_wrong_for_every_row_pauses_the_batch_and_after_it_is_mended_no_row_is_lost(
    installation: Make,
) -> None:
    site = installation()  # an API that has answered a row before makes ten of these fallback rows first
    base = site.mock_api()
    site.batchd()
    api(base, "/faults", {"kind": "status", "status": 404, "share": 1.0})
    site.drop("users.csv", users(1_000))
    status = eventually(lambda: _state(site, "paused"), "the batch pauses")
    assert f"{base}/enrich answers 404 to every row" in status["paused"]["reason"]
    assert "mend BATCH_API_URL, restart, then resume" in status["paused"]["reason"]
    assert api(base, "/calls")["total"] < 50

    api(base, "/faults", method="DELETE")
    assert site.batchctl("resume", "users.csv").returncode == 0
    [folder] = site.finished()
    counts = manifest_of(folder)["counts"]
    assert (counts["enriched"], counts["fallback"]) == (1_000, 0)


def test_rows_that_the_api_always_refuses_or_puts_off_end_as_fallback_rows_in_batches_that_complete(
    installation: Make,
) -> None:
    bad = {1: 403, 17: 429, 60: 503, 120: 404}
    site = installation(**SETTINGS)
    with scripted_api_beside(
        lambda key, _: bad.get(int(key.rpartition("-")[2]), 200) if key.startswith("users-") else 200, retry_after_s=2
    ) as scripted:
        site.set(BATCH_API_URL=scripted.url)
        service = site.batchd()
        site.drop("users.csv", users(120))
        site.drop("others.csv", users(100))
        folders = {manifest_of(folder)["id"].split("-")[0]: folder for folder in site.finished(2)}
    rows = rows_of(folders["users"])
    assert {row["_row"]: row["error"] for row in rows if "error" in row} == {
        number: f"http_{status}" for number, status in bad.items()
    }
    assert manifest_of(folders["others"])["counts"]["enriched"] == 100
    assert service.logged("batch.paused") == []
    assert service.logged("batch.waiting") == []


def test_a_tiny_file_beside_a_huge_one_is_done_long_before_it(well: tuple[Installation, str]) -> None:
    site, base = well
    site.drop("huge.csv", users(30_000))
    eventually(lambda: api(base, "/calls")["total"] > 50, "the huge one is under way")
    site.drop("tiny.csv", users(20))

    eventually(lambda: next(iter(site.inbox.glob("archive/tiny-*/tiny.csv")), None), "the tiny one is done")
    assert api(base, "/calls")["total"] < 20_000
    assert site.batchctl("cancel", "huge.csv").returncode == 0
    assert manifest_of(site.result_of("huge.csv"))["status"] == "cancelled"


def _state(site: Installation, state: str, name: str = "users.csv") -> dict[str, object] | None:
    status = site.status(name)
    return status if status["state"] == state else None


def _waiting(site: Installation) -> dict[str, object] | None:
    status = _state(site, "waiting")
    return status if status and status["waiting_on"] == "api" else None
