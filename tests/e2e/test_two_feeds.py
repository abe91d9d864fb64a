"""Two feeds with an API each, in one service: real processes, one API down, kills, the same file in both."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from installation import Installation, Process, api, eventually, manifest_of, rows_of, users

from daemon.results.verify import verify
from workflows.contract import LOCAL_MAX_BYTES

Make = Callable[..., Installation]
FEEDS = ("contacts", "orders")
MEMBERS = {
    "fields": [
        {"name": "id", "type": "integer", "constraints": {"minimum": 1}},
        {"name": "country", "constraints": {"enum": ["US", "DE"]}},
    ],
    "primaryKey": "id",
}


@dataclass
class TwoFeeds:
    """A running service, and the address of the mock API of each feed."""

    site: Installation
    service: Process
    bases: dict[str, str]

    def drop(self, feed: str, name: str, rows: int) -> None:
        (self.site.root / feed / name).write_text(users(rows))

    def result(self, feed: str, name: str) -> Path:
        """Return the output of a file once its batch is complete and the file is in the archive of its feed."""

        def done() -> Path | None:
            if not list((self.site.root / feed).glob(f"archive/*/{name}")):
                return None
            folders = [each.parent for each in self.site.output_root.glob("batch-*/manifest.json")]
            found = [(manifest_of(each)["feed"], manifest_of(each)["source"]["name"], each) for each in folders]
            return next((folder for of, file, folder in found if (of, file) == (feed, name)), None)

        return eventually(done, f"the result of {name} in {feed}")


@pytest.fixture(scope="module")
def two(lasting_installation: Make) -> TwoFeeds:
    site = lasting_installation("feeds", BATCH_WORKERS="1")
    slow = {"LATENCY_MIN_MS": "10", "LATENCY_MAX_MS": "10"}
    bases = {feed: site.mock_api(**slow) for feed in FEEDS}
    apis = "\n".join(f'[api.{feed}]\nurl = "{base}/enrich"\nconcurrency = 8' for feed, base in bases.items())
    keys = {"page_rows": 100, "in_memory_max_bytes": 0}
    feeds: dict[str, dict[str, object]] = {
        feed: {"inbox": str(site.root / feed), "api": feed, **keys} for feed in FEEDS
    }
    (site.root / "members.json").write_text(json.dumps(MEMBERS))
    feeds["members"] = {"inbox": str(site.root / "members"), "api": "contacts", "schema": "members.json"}
    site.describe_feeds(apis, {**feeds, "members": {**feeds["members"], "page_rows": 4_000}})
    return TwoFeeds(site, site.batchd(), bases)


def test_the_same_file_in_two_feeds_is_worked_once_for_each_by_its_own_api(two: TwoFeeds) -> None:
    for feed in FEEDS:
        two.drop(feed, "users.csv", 40)
    folders = {feed: two.result(feed, "users.csv") for feed in FEEDS}
    assert len({manifest_of(each)["id"] for each in folders.values()}) == 2
    for feed, folder in folders.items():
        manifest = manifest_of(folder)
        assert (manifest["feed"], manifest["api"]["name"]) == (feed, feed)
        assert [row["_row"] for row in rows_of(folder)] == list(range(1, 41))
        assert verify(folder).ok
        assert api(two.bases[feed], "/calls")["total"] == 40

    two.drop("orders", "users.csv", 40)
    eventually(lambda: list((two.site.root / "orders").glob("duplicates/*.receipt.json")), "a duplicate")
    assert not list((two.site.root / "contacts").glob("duplicates/*.receipt.json"))
    claimed = {each["feed"] for each in two.service.logged("file.claimed")}
    assert claimed == set(FEEDS)


def test_an_api_that_is_down_leaves_the_other_feed_alone_and_its_own_batch_ends_after_a_kill(two: TwoFeeds) -> None:
    api(two.bases["orders"], "/faults", {"kind": "status", "status": 503, "share": 1.0})
    two.drop("orders", "held.csv", 300)
    eventually(lambda: two.service.logged("batch.waiting"), "the batch waits for its API")
    two.drop("contacts", "free.csv", 300)
    assert manifest_of(two.result("contacts", "free.csv"))["counts"]["enriched"] == 300
    assert [each["feed"] for each in two.service.logged("batch.waiting")] == ["orders"]

    worker = next(pid for pid, line in two.site.children(two.service.pid) if b"--process-of" in line)
    os.kill(worker, signal.SIGKILL)
    api(two.bases["orders"], "/faults", method="DELETE")
    folder = two.result("orders", "held.csv")
    assert manifest_of(folder)["counts"]["enriched"] == 300
    assert verify(folder).ok


def test_rows_that_break_a_schema_cost_no_call_over_pages_and_kills(two: TwoFeeds) -> None:
    ids, records = 40, 60_000
    calls = api(two.bases["contacts"], "/calls")["total"]
    filler = "x" * 20  # so that no step is a local activity
    text = f"id,country,note\n0,US,{filler}\n1,FR,{filler}\n"
    text += "".join(f"{at % ids + 1},US,{filler}\n" for at in range(records))
    assert len(text) > LOCAL_MAX_BYTES
    before = set(two.site.output_root.glob("batch-*"))
    (two.site.root / "members" / "members.csv").write_text(text)
    made = eventually(lambda: set(two.site.output_root.glob("batch-*/schema.json")), "the schema is in its place")
    worker = next(pid for pid, line in two.site.children(two.service.pid) if b"--process-of" in line)
    os.kill(worker, signal.SIGKILL)

    folder = two.result("members", "members.csv")
    assert {each.parent for each in made} == {folder} - before
    manifest = manifest_of(folder)
    assert (manifest["counts"]["enriched"], manifest["counts"]["rejected"]) == (ids, records + 2 - ids)
    assert [row["id"] for row in rows_of(folder)] == [str(each + 1) for each in range(ids)]
    rejected = [
        (each["_row"], each["column"], each["rule"])
        for name in sorted(folder.glob("rejected-*.json"))
        for each in json.loads(name.read_text())
    ]
    assert rejected[:2] == [(1, "id", "minimum"), (2, "country", "enum")]
    assert rejected[2:] == [(row, "id", "primaryKey") for row in range(ids + 3, records + 3)]
    assert api(two.bases["contacts"], "/calls")["total"] == calls + ids
    assert verify(folder, source=next((two.site.root / "members").glob("archive/*/members.csv"))).ok


def test_a_small_file_with_a_schema_is_worked_as_a_large_one(two: TwoFeeds) -> None:
    (two.site.root / "members" / "small.csv").write_text("id,country\n1,US\n1,DE\n2,DE\n")
    folder = two.result("members", "small.csv")
    assert [row["_row"] for row in rows_of(folder)] == [1, 3]
    assert verify(folder).ok


def test_a_batch_of_a_feed_that_was_taken_out_of_the_file_ends_in_the_folders_of_its_claim(two: TwoFeeds) -> None:
    before = (two.site.root / "batchd.toml").read_text()
    two.drop("orders", "last.csv", 1_500)
    calls = api(two.bases["orders"], "/calls")["total"]
    eventually(lambda: api(two.bases["orders"], "/calls")["total"] > calls + 50, "calls are being made")
    assert two.service.stop() == 0
    (two.site.root / "batchd.toml").write_text(before.partition("[feed.orders]")[0])
    (two.site.root / "orders" / "waits.csv").write_text(users(3))
    two.service = two.site.batchd()
    assert manifest_of(two.result("orders", "last.csv"))["counts"]["enriched"] == 1_500
    assert (two.site.root / "orders" / "waits.csv").exists(), "what waits in the folder of a feed that went stays"
