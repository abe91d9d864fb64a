"""A running service loads its file anew, all of it or nothing: in mid-batch, by command and by signal, over kills."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from installation import Installation, Process, api, eventually, manifest_of, users

Make = Callable[..., Installation]
PAGES = "page_rows = 100\nin_memory_max_bytes = 0\n"


@dataclass
class Service:
    """A running batchd with the file it was given, and its mock API."""

    site: Installation
    base: str
    process: Process

    @property
    def file(self) -> Path:
        return self.site.root / "batchd.toml"

    def section(self, api_name: str, concurrency: int = 4) -> str:
        return f'[api.{api_name}]\nurl = "{self.base}/enrich"\nconcurrency = {concurrency}\n'

    def feed(self, name: str, api_name: str) -> str:
        return f'[feed.{name}]\ninbox = "{self.site.root / name}"\napi = "{api_name}"\nsettle_s = 0.2\n{PAGES}'

    def write(self, *sections: str) -> None:
        self.file.write_text("\n".join(sections))

    def reload(self, code: int = 0) -> str:
        done = self.site.batchctl("reload")
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def drop(self, feed: str, name: str, rows: int) -> None:
        """Drop a file, and return in the middle of its batch."""
        before = self.calls()
        (self.site.root / feed / name).write_text(users(rows))
        eventually(lambda: self.calls() > before + 40, "calls are being made")

    def calls(self) -> int:
        return int(api(self.base, "/calls")["total"])

    def enriched(self, feed: str, name: str) -> int:
        """Return the enriched rows of a file once its batch is complete."""
        [filed] = eventually(lambda: list((self.site.root / feed).glob(f"archive/*/{name}")), f"{name} is filed")
        return int(manifest_of(self.site.output_root / f"batch-{filed.parent.name}")["counts"]["enriched"])


@pytest.fixture(scope="module")
def service(lasting_installation: Make) -> Service:
    site = lasting_installation("reload", BATCH_WORKERS="1")
    site.describe_feeds("", {})
    made = Service(site, site.mock_api(LATENCY_MIN_MS="20", LATENCY_MAX_MS="20"), None)  # type: ignore[arg-type]
    site.describe_feeds("", {})
    made.write(made.section("first"), made.feed("contacts", "first"))
    made.process = site.batchd()
    return made


def test_a_bad_file_changes_nothing_says_every_mistake_and_the_batch_under_way_ends(service: Service) -> None:
    good = service.file.read_text()
    service.drop("contacts", "bad-reload.csv", 400)
    service.write(service.section("first", 64).replace("url", "ulr"), service.feed("contacts", "second"))
    said = service.reload(code=2)
    assert "batchd.toml:2: api.first.ulr: is no key" in said
    assert "there is no [api.second]" in said
    assert "nothing has changed" in said
    service.process.send(signal.SIGHUP)
    [refused] = eventually(lambda: service.process.logged("reload.refused"), "the service says so too")
    assert any("api.first.ulr" in each for each in refused["findings"])
    assert service.enriched("contacts", "bad-reload.csv") == 400
    assert service.process.logged("reload.done") == []
    service.file.write_text(good)


def test_a_worker_that_is_killed_after_the_file_was_broken_comes_back_with_what_was_accepted(service: Service) -> None:
    good = service.file.read_text()
    service.drop("contacts", "killed.csv", 400)
    service.file.write_text("[api.first")
    worker = next(pid for pid, line in service.site.children(service.process.pid) if b"--process-of" in line)
    os.kill(worker, signal.SIGKILL)
    assert service.enriched("contacts", "killed.csv") == 400
    service.file.write_text(good)


def test_a_good_file_takes_hold_in_mid_batch_and_what_waits_for_an_api_that_went_goes_on_with_it(
    service: Service,
) -> None:
    service.drop("contacts", "held.csv", 2_400)
    service.write(service.section("second"), service.feed("orders", "second"))
    said = service.reload()
    assert "feeds came: orders; feeds went: contacts; apis came: second; apis went: first" in said
    waiting = eventually(lambda: service.process.logged("batch.waiting"), "the batch misses its API")
    assert waiting[-1]["feed"] == "contacts"
    (service.site.root / "contacts" / "stays.csv").write_text(users(3))
    (service.site.root / "orders" / "new.csv").write_text(users(30))
    assert service.enriched("orders", "new.csv") == 30
    assert (service.site.root / "contacts" / "stays.csv").exists()

    service.write(service.section("first", 16), service.section("second"), service.feed("contacts", "first"))
    with service.file.open("a") as file:
        file.write(service.feed("orders", "second"))
    api(service.base, "/calls", method="DELETE")
    done = len(service.process.logged("reload.done"))
    service.process.send(signal.SIGHUP)
    eventually(lambda: len(service.process.logged("reload.done")) > done, "the signal reloads too")
    assert service.enriched("contacts", "held.csv") == 2_400
    assert service.enriched("contacts", "stays.csv") == 3


def test_a_setting_that_is_read_at_the_start_asks_for_a_restart(service: Service) -> None:
    good = service.file.read_text()
    service.write('[service]\ntask_queue = "another"\n', good)
    said = service.reload(code=2)
    assert "batchd.toml:2: service.task_queue: is another, and the service was started with batch-task" in said
    assert "restart batchd, or set it back" in said
    service.file.write_text(good)


def test_without_a_service_reload_says_that_none_runs(service: Service) -> None:
    assert service.process.stop() == 0
    assert "no batchd is ready on the state folder" in service.reload(code=1)


def test_the_watcher_and_the_worker_of_a_host_reload_apart_from_each_other_by_one_command(installation: Make) -> None:
    site = installation(BATCH_WORKERS="1")
    site.temporal()
    site.describe_feeds("", {})
    both = Service(site, site.mock_api(), None)  # type: ignore[arg-type]
    site.describe_feeds("", {})
    both.write(both.section("first"), both.feed("contacts", "first"))
    site.batchd("work", name="work")
    both.process = site.batchd("watch", name="watch")
    both.write(
        both.section("first"), both.section("second"), both.feed("contacts", "first"), both.feed("new", "second")
    )
    said = both.reload()
    for service in ("watch", "work"):
        assert re.search(
            rf"batchd {service} \(process [0-9]+\): reloaded .*feeds came: new; apis came: second", said
        ), said
    (site.root / "new" / "users.csv").write_text(users(20))
    assert both.enriched("new", "users.csv") == 20
