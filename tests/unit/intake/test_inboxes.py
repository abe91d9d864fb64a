"""Inboxes of many feeds in one process: each its own, and feeds come, change and go while it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from feed_site import feed, running, started
from intake_site import CSV, FakeTemporal, until

from activities.feed_folders import FeedFolders, Folders
from activities.registry.receipts import Receipts
from workflows.ids import batch_id, identity_key
from workflows.models import BatchRef, CsvOptions


def duplicates(root: Path) -> list[str]:
    """The inboxes that have set files aside as duplicates."""
    return [each.parent.parent.name for each in root.glob("*/duplicates/*.receipt.json")]


async def test_the_same_file_in_two_feeds_is_two_batches_and_again_in_one_a_duplicate(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "contacts", "orders", "default"):
        for name in ("contacts", "orders", "default"):
            (tmp_path / name / "users.csv").write_bytes(CSV)
        await until(lambda: len(temporal.started) == 3, "each feed starts its own")
        (tmp_path / "orders" / "users.csv").write_bytes(CSV)
        await until(lambda: list((tmp_path / "orders" / "duplicates").glob("*.receipt.json")), "a duplicate")
    assert len(temporal.started) == 3
    by_feed = started(temporal)
    source = by_feed["contacts"].source
    for name, batch in by_feed.items():
        key = identity_key("name+content", name=b"users.csv", sha256=source.sha256, feed=name)
        assert (batch.identity.key, batch.id) == (key, batch_id(b"users.csv", key))
    assert by_feed["default"].id == "users-06cdc6d480df", "that of the same file without a configuration file"
    assert duplicates(tmp_path) == ["orders"]
    receipts = Receipts(tmp_path / "state")
    assert {each.terms.feed: Path(each.inbox).name for each in receipts.newest_first() if each.terms} == {
        name: name for name in by_feed
    }


async def test_feeds_that_come_are_worked_and_what_waits_in_the_folder_of_one_that_went_stays(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "contacts") as inboxes:
        await inboxes.apply({"orders": feed(tmp_path, "orders")})
        (tmp_path / "contacts" / "users.csv").write_bytes(CSV)
        (tmp_path / "orders" / "users.csv").write_bytes(CSV)
        await until(lambda: temporal.started, "the new feed is worked")
        await asyncio.sleep(0.5)  # five scans of a feed that is there
        assert set(started(temporal)) == {"orders"}
        assert (tmp_path / "contacts" / "users.csv").read_bytes() == CSV
        await inboxes.apply({"contacts": feed(tmp_path, "contacts")})
        await until(lambda: set(started(temporal)) == {"contacts", "orders"}, "it is worked once the feed is back")


async def test_what_is_claimed_of_a_feed_that_goes_is_started_and_looked_after(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    temporal.reachable = False
    async with running(tmp_path, temporal, "contacts") as inboxes:
        (tmp_path / "contacts" / "users.csv").write_bytes(CSV)
        await until(lambda: temporal.asked, "the file is claimed")
        await inboxes.apply({"orders": feed(tmp_path, "orders")})
        temporal.reachable = True
        await until(lambda: "contacts" in started(temporal), "its batch is started all the same")


async def test_feeds_that_shared_an_inbox_and_go_together_have_their_claims_looked_after_each(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    temporal.reachable = False
    shared = {"a": "a*.csv", "b": "b*.csv"}
    feeds = {
        name: feed(tmp_path, name, "shared", pattern=pattern, beside={k: v for k, v in shared.items() if k != name})
        for name, pattern in shared.items()
    }
    async with running(tmp_path, temporal, "first") as inboxes:
        await inboxes.apply(feeds)
        for name in ("a1.csv", "b1.csv"):
            (tmp_path / "shared" / name).write_bytes(CSV)
        await until(lambda: len(set(temporal.asked)) == 2, "both are claimed")
        await inboxes.apply({"first": feed(tmp_path, "first")})
        temporal.reachable = True
        await until(lambda: len(temporal.started) == 2, "both are started all the same")
        for batch in temporal.started:
            temporal.outcomes[batch] = "running"
        await inboxes.apply(feeds)
        (tmp_path / "shared" / "a2.csv").write_bytes(CSV)
        await until(lambda: len(temporal.started) == 3, "they are worked again once they are back")


async def test_a_feed_whose_inbox_changes_leaves_the_old_one_alone(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "contacts") as inboxes:
        await inboxes.apply({"contacts": feed(tmp_path, "contacts", inbox="elsewhere")})
        (tmp_path / "elsewhere" / "new.csv").write_bytes(CSV)
        (tmp_path / "contacts" / "old.csv").write_bytes(CSV)
        await until(lambda: temporal.started, "the new inbox is worked")
        await asyncio.sleep(0.5)
        assert [each.source.name for each in temporal.started.values()] == ["new.csv"]


async def test_feeds_that_share_an_inbox_by_their_patterns_take_each_its_own_files(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "first") as inboxes:
        shared = {"a": "a*.csv", "b": "b*.csv"}
        await inboxes.apply(
            {
                name: feed(
                    tmp_path,
                    name,
                    inbox="shared",
                    pattern=pattern,
                    beside={each: of for each, of in shared.items() if each != name},
                )
                for name, pattern in shared.items()
            }
        )
        for name in ("a1.csv", "b1.csv", "c1.csv"):
            (tmp_path / "shared" / name).write_bytes(CSV)
        await until(lambda: len(temporal.started) == 2, "both are started")
        await asyncio.sleep(0.5)
    assert {each.source.name: each.feed for each in temporal.started.values()} == {"a1.csv": "a", "b1.csv": "b"}
    assert len(temporal.asked) == 2, "neither starts the other's"
    assert (tmp_path / "shared" / "c1.csv").exists()


async def test_a_worker_finds_the_folders_of_a_batch_by_its_receipt_and_then_by_the_configuration(
    tmp_path: Path,
) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "contacts"):
        (tmp_path / "contacts" / "users.csv").write_bytes(CSV)
        await until(lambda: temporal.started, "it is started")
    [request] = temporal.started.values()
    batch = BatchRef(id=request.id, source=request.source, csv=CsvOptions(), feed="contacts")
    configured = Folders(inbox=tmp_path / "moved", output_root=tmp_path / "out")
    receipts = Receipts(tmp_path / "state")
    assert FeedFolders({"contacts": configured}, receipts).of(batch).inbox == tmp_path / "contacts"
    assert FeedFolders({}, receipts).of(batch).output_root == tmp_path
    (tmp_path / "contacts").rename(tmp_path / "moved")
    assert FeedFolders({"contacts": configured}, receipts).of(batch) == configured
