"""The main job, end to end: real daemon, real Temporal server, real mock API, files dropped as a user drops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, Process, api, eventually, free_port, manifest_of, rows_of, users
from nasty_files import NASTY_FILES

from daemon.batchctl.main import run as batchctl

Make = Callable[..., Installation]


@dataclass
class Running:
    """An installation whose batchd runs, the address of its mock API, and that process."""

    site: Installation
    base: str
    service: Process

    def drop_and_wait_for_calls(self, name: str, rows: int) -> None:
        """Drop a file, and return in the middle of its batch. Only the calls of this batch are counted then."""
        api(self.base, "/calls", method="DELETE")
        self.site.drop(name, users(rows))
        eventually(lambda: self.calls()["total"] > 100, "calls are being made")

    def calls(self) -> dict[str, Any]:
        found: dict[str, Any] = api(self.base, "/calls")
        return found

    def repeated(self) -> int:
        return sum(times - 1 for times in self.calls()["repeated"].values())


@pytest.fixture(scope="module")
def ordinary(lasting_installation: Make) -> Running:
    """A batchd without settings of its own, for the tests that leave it running."""
    site = lasting_installation("ordinary")
    return Running(site, site.mock_api(), site.batchd())


@pytest.fixture(scope="module")
def busy(lasting_installation: Make) -> Running:
    """A batchd that works a file of 2,000 rows for some seconds, for the tests that kill something in their middle."""
    settings = {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_PAGE_ROWS": "100", "BATCH_API_CONCURRENCY": "8"}
    site = lasting_installation("busy", **settings)
    return Running(site, site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10"), site.batchd())


def test_a_dropped_file_becomes_a_verified_manifest_and_the_source_is_archived(ordinary: Running) -> None:
    site = ordinary.site
    dropped = users(25)
    site.drop("users.csv", dropped)

    folder = site.result_of("users.csv")

    manifest = manifest_of(folder)
    assert manifest["counts"] == {"records": 25, "enriched": 25, "fallback": 0, "rejected": 0, "by_error": {}}
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 26))
    assert rows_of(folder)[2] == {
        "id": "3",
        "first_name": "User 3",
        "country": "US",
        "_row": 3,
        "enriched": True,
        "region": "NA",
    }
    assert (site.inbox / "archive" / manifest["id"] / "users.csv").read_text() == dropped
    assert subprocess.run(["sha256sum", "-c", "manifest.sha256"], cwd=folder, check=False).returncode == 0  # noqa: S607
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []
    assert ordinary.calls()["total"] == 25
    assert site.batchctl("verify", "users.csv").returncode == 0


def test_the_same_file_again_is_a_duplicate_with_a_receipt_and_no_second_workflow(ordinary: Running) -> None:
    site = ordinary.site
    site.drop("again.csv", users(5))
    folder = site.result_of("again.csv")
    before = ordinary.calls()["total"], len(site.outputs())

    site.drop("again.csv", users(5))

    receipt = eventually(lambda: next(iter(site.inbox.glob("duplicates/*.receipt.json")), None), "a receipt")
    assert manifest_of(folder)["id"] in receipt.read_text()
    assert (ordinary.calls()["total"], len(site.outputs())) == before


def test_a_file_that_is_no_csv_is_refused_with_its_reason_and_the_next_file_is_worked(ordinary: Running) -> None:
    site = ordinary.site
    site.drop("broken.csv", b'id,"name\n1,a\n')
    site.drop("next.csv", users(3))

    site.result_of("next.csv")

    reported = eventually(lambda: next(iter(site.inbox.glob("failed/refused-broken-*/REASON.txt")), None), "a reason")
    assert "quote" in reported.read_text()


def test_a_service_without_a_file_has_nothing_to_load_anew_and_says_so(ordinary: Running) -> None:
    reloaded = ordinary.site.batchctl("reload")
    assert reloaded.returncode == 2, reloaded.stderr
    assert "was started without a configuration file" in reloaded.stdout
    assert "restart batchd" in reloaded.stdout


def test_both_workflows_give_byte_identical_chunks_for_the_same_file(
    installation: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"cursor": "0", "in-memory": "262144"}
    sites = {mode: installation(mode, BATCH_IN_MEMORY_MAX_BYTES=limits[mode], BATCH_PAGE_ROWS="3") for mode in limits}
    base = sites["cursor"].mock_api()
    for site in sites.values():
        site.set(BATCH_API_URL=f"{base}/enrich")
        site.batchd(ready=False)
        for name, nasty in NASTY_FILES.items():
            site.drop(name, nasty.content)
    results = {mode: results_by_name(site.finished(len(NASTY_FILES))) for mode, site in sites.items()}

    for name, nasty in NASTY_FILES.items():
        assert data_files(results["cursor"][name]) == data_files(results["in-memory"][name]), name
        for mode, site in sites.items():
            folder = results[mode][name]
            manifest = manifest_of(folder)
            found = (manifest["mode"], manifest["counts"]["records"], manifest["counts"]["rejected"])
            assert found == (mode, nasty.records, nasty.rejected), name
            source = site.inbox / manifest["source"]["archived_as"]
            assert source.read_bytes() == nasty.content
            assert batchctl(["verify", str(folder), "--source", str(source)]) == 0, (name, capsys.readouterr().out)


def results_by_name(folders: list[Path]) -> dict[str, Path]:
    return {manifest_of(each)["source"]["name"]: each for each in folders}


def data_files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.startswith("manifest")}


def test_pause_stops_the_calls_and_resume_finishes_with_every_row_called_once(installation: Make) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES="0", BATCH_PAGE_ROWS="50", BATCH_API_CONCURRENCY="4")
    base = site.mock_api(LATENCY_MIN_MS="60", LATENCY_MAX_MS="60")
    site.batchd()
    site.drop("users.csv", users(400))
    eventually(lambda: api(base, "/calls")["total"] > 40, "calls are being made")

    paused = site.batchctl("pause", "users.csv", "--reason", "lunch")
    assert paused.returncode == 0, paused.stderr
    calls_at_pause = api(base, "/calls")["total"]
    status = site.status("users.csv")
    assert status["state"] == "paused"
    assert status["paused"]["reason"] == "lunch"
    assert status["rows"]["done"] < 400
    assert site.batchctl("pause", "users.csv").returncode == 0, "pausing twice is no error"
    assert api(base, "/calls")["total"] <= calls_at_pause + 1

    assert site.batchctl("resume", "users.csv").returncode == 0
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == 400
    assert [each["reason"] for each in manifest_of(folder)["pauses"]] == ["lunch"]
    calls = api(base, "/calls")
    assert (calls["total"], calls["repeated"]) == (400, {})


def test_cancel_writes_a_cancelled_manifest_and_files_the_source_under_failed(busy: Running) -> None:
    site = busy.site
    busy.drop_and_wait_for_calls("wrong.csv", 5_000)

    cancelled = site.batchctl("cancel", "wrong.csv", "--reason", "wrong file")

    assert cancelled.returncode == 0, cancelled.stderr
    manifest = manifest_of(site.result_of("wrong.csv"))
    assert manifest["status"] == "cancelled"
    assert 0 < manifest["counts"]["records"] < 5_000
    assert site.status("wrong.csv")["state"] == "cancelled"
    reason = json.loads((site.inbox / "failed" / manifest["id"] / "REASON.json").read_text())
    assert "wrong file" in json.dumps(reason)


def test_kill_of_the_worker_in_mid_page_repeats_at_most_the_calls_in_flight(busy: Running) -> None:
    busy.drop_and_wait_for_calls("worker.csv", 2_000)

    worker = next(pid for pid, line in busy.site.children(busy.service.pid) if b"--process-of" in line)
    os.kill(worker, signal.SIGKILL)

    folder = busy.site.result_of("worker.csv")
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 2_001))
    assert busy.site.batchctl("verify", "worker.csv").returncode == 0
    assert busy.repeated() <= 8


def test_kill_of_the_server_in_mid_batch_ends_in_a_verified_manifest(busy: Running) -> None:
    busy.drop_and_wait_for_calls("server.csv", 2_000)

    server = next(pid for pid, line in busy.site.children(busy.service.pid) if b"start-dev" in line)
    os.kill(server, signal.SIGKILL)

    folder = busy.site.result_of("server.csv")
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 2_001))
    assert busy.site.batchctl("verify", "server.csv").returncode == 0
    assert busy.service.running()


def test_sigterm_in_mid_batch_ends_cleanly_and_the_next_start_goes_on(busy: Running) -> None:
    busy.drop_and_wait_for_calls("stopped.csv", 2_000)

    assert busy.service.stop() == 0
    assert busy.calls()["total"] < 2_000
    busy.service = busy.site.batchd()

    folder = busy.site.result_of("stopped.csv")
    assert manifest_of(folder)["counts"]["enriched"] == 2_000
    assert busy.calls()["repeated"] == {}


def test_kill_of_everything_needs_nobody_but_the_next_start(busy: Running) -> None:
    busy.drop_and_wait_for_calls("everything.csv", 1_000)

    busy.service.kill_group()
    busy.service = busy.site.batchd()

    folder = busy.site.result_of("everything.csv")
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 1_001))
    assert busy.repeated() <= 8


def test_a_port_taken_by_something_else_is_a_clear_error(installation: Make, tmp_path: Path) -> None:
    site = installation()
    base = site.mock_api()
    service = site.batchd("run", ready=False, BATCH_SERVER_PORT=base.rpartition(":")[2])
    assert service.wait() == 2
    assert "is taken by something that is not a Temporal server" in service.log.read_text()


def test_no_temporal_server_within_the_start_timeout_is_exit_code_3(installation: Make) -> None:
    site = installation(TEMPORAL_ADDRESS="127.0.0.1:1", BATCH_START_TIMEOUT_S="1")
    service = site.batchd("watch", ready=False)
    assert service.wait() == 3
    assert "no Temporal server answers at 127.0.0.1:1" in service.log.read_text()


def test_an_unknown_setting_is_exit_code_2_and_names_the_right_one(installation: Make) -> None:
    site = installation(BATCH_PAGE_ROW="5")
    service = site.batchd("run", ready=False)
    assert service.wait() == 2
    assert "did you mean BATCH_PAGE_ROWS?" in service.log.read_text()


def test_a_second_interrupt_is_not_needed_and_nothing_is_left_running(installation: Make) -> None:
    site = installation()
    service = site.batchd("run", "--with-mock-api", MOCK_API_PORT=str(free_port()))
    pids = [pid for pid, _ in site.children(service.pid)]
    assert len(pids) == 3
    service.send(signal.SIGINT)
    assert service.wait() == 0
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
