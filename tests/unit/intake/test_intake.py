"""Never early, never twice, never lost: what becomes of the files in an inbox, judged by where they lie."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
from intake_site import CSV, PATIENCE_S, MakeSite, until

from activities.disk import atomic_files
from activities.disk.atomic_files import STALE_S
from workflows.ids import batch_id, identity_key
from workflows.models import Counts


async def test_a_settled_file_is_claimed_and_its_workflow_started_once(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle(scans=4)
    [receipt] = site.all_receipts()
    assert site.claimed() == [f"{receipt.id}/users.csv"]
    assert site.temporal.asked == [receipt.id]
    request = site.temporal.started[receipt.id]
    assert request.source == receipt.source
    assert request.identity.policy == "name+content"
    assert receipt.id == batch_id(b"users.csv", request.identity.key)
    assert receipt.output_dir.endswith(f"/batch-{receipt.id}")


async def test_a_small_file_is_worked_in_memory_and_one_of_many_pages_by_cursor(make_site: MakeSite) -> None:
    site = make_site(page_rows=1, in_memory_max_bytes=2_000)
    site.drop("small.csv", b"id\n" + b"1\n" * 200)
    site.drop("many-pages.csv", b"id\n" + b"1\n" * 400)
    site.drop("long.csv", b"id\n" + b"1234567\n" * 300)
    await site.settle()
    modes = {site.temporal.started[each].source.name: mode for each, mode in site.temporal.modes.items()}
    assert modes == {"small.csv": "in-memory", "many-pages.csv": "cursor", "long.csv": "cursor"}


async def test_what_writers_that_were_killed_left_in_the_state_folder_is_swept_after_an_hour(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    left = [site.state_dir / ".tmp-9-dead", site.receipts.folder / ".tmp-9-beef"]
    for each in left:
        each.parent.mkdir(exist_ok=True)
        each.write_text("torn")
    await site.scan()
    assert all(each.exists() for each in left), "they may still be written to"
    later_s = time.time() + STALE_S + 1
    monkeypatch.setattr(atomic_files.time, "time", lambda: later_s)
    site.new_intake()
    await site.scan()
    assert not any(each.exists() for each in left)


@pytest.mark.parametrize("outcome", ["running", "completed", "failed", "cancelled"])
async def test_the_same_file_again_is_set_aside_whatever_became_of_the_first(make_site: MakeSite, outcome: Any) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    if outcome != "running":
        site.end(first.id, outcome, reason="users.csv line 3: broken", counts=Counts(records=2))
    for _ in range(2):
        site.drop("users.csv")
        await site.settle()
    assert site.under("duplicates") == [
        "users.1.csv",
        "users.1.csv.receipt.json",
        "users.csv",
        "users.csv.receipt.json",
    ]
    receipt = json.loads((site.inbox / "duplicates" / "users.1.csv.receipt.json").read_text())
    assert receipt["duplicate_of"] == first.id
    assert receipt["first"]["output_dir"] == first.output_dir
    assert receipt["first"]["state"] in {outcome, "claimed"}
    assert ("rerun" in receipt["what_next"]) is (outcome != "running")
    assert site.temporal.asked == [first.id]


async def test_the_same_file_is_a_duplicate_after_temporal_has_forgotten_it(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    site.end(first.id, "completed")
    site.temporal.started.clear()
    site.new_intake()
    site.drop("users.csv")
    await site.settle()
    assert "users.csv" in site.under("duplicates")
    assert site.temporal.started == {}


async def test_other_bytes_under_the_same_name_are_a_new_batch(make_site: MakeSite) -> None:
    site = make_site()
    site.drop("users.csv")
    await site.settle()
    site.drop("users.csv", CSV + b"3,c\n")
    await site.settle()
    assert len(site.temporal.started) == 2


@pytest.mark.parametrize(("identity", "batches"), [("name+content", 2), ("content", 1), ("name", 2)])
async def test_the_same_bytes_under_another_name_are_what_the_policy_says(
    make_site: MakeSite, identity: str, batches: int
) -> None:
    site = make_site(identity=identity)
    site.drop("b.csv")
    await site.settle()
    site.drop("a.csv")
    await site.settle()
    assert len(site.temporal.started) == batches
    assert ("a.csv" in site.under("duplicates")) is (batches == 1)


async def test_two_names_of_one_content_dropped_together_are_one_batch_where_content_counts(
    make_site: MakeSite,
) -> None:
    site = make_site(identity="content")
    for number in range(12):
        site.drop(f"name-{number}.csv")
    await site.settle(scans=4)
    assert len(site.temporal.started) == 1
    assert len(site.under("duplicates")) == 22


async def test_one_name_is_one_batch_for_ever_where_the_name_counts(make_site: MakeSite) -> None:
    site = make_site(identity="name")
    site.drop("users.csv")
    await site.settle()
    site.drop("users.csv", CSV + b"3,c\n")
    await site.settle()
    assert len(site.temporal.started) == 1
    assert "users.csv" in site.under("duplicates")


async def test_claims_do_not_run_far_ahead_of_starts(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.reachable = False
    for number in range(330):
        site.drop(f"users-{number}.csv")
    await site.settle(scans=3)
    assert 0 < len(site.waiting()) < 100
    site.temporal.reachable = True
    await site.settle()
    assert len(site.temporal.started) == 330


async def test_starts_in_flight_are_bounded(make_site: MakeSite) -> None:
    site = make_site(starts_in_flight=3)
    site.temporal.start_s = 0.001
    for number in range(40):
        site.drop(f"users-{number}.csv")
    await site.settle()
    assert len(site.temporal.started) == 40
    assert site.temporal.most_open_calls == 3


async def test_the_oldest_file_is_taken_first(make_site: MakeSite) -> None:
    site = make_site(hashes_in_flight=1, starts_in_flight=1)
    for number in (3, 1, 2, 0):
        path = site.drop(f"users-{number}.csv")
        os.utime(path, ns=(number * 10**9, number * 10**9))
    await site.scan()
    site.drop("users-new.csv")
    os.utime(site.inbox / "users-new.csv", ns=(0, 0))
    await site.scan(after_s=1)
    await site.scan(after_s=PATIENCE_S)
    names = [site.temporal.started[each].source.name for each in site.temporal.asked]
    assert names == [f"users-{number}.csv" for number in range(4)] + ["users-new.csv"]


async def test_a_huge_file_does_not_hold_back_a_small_one(make_site: MakeSite) -> None:
    site = make_site(hashes_in_flight=1)
    huge = site.drop("huge.csv", b"id\n" + b"1\n" * 50_000)
    with huge.open("r+b") as file:
        file.truncate(20_000_000_000)
    await site.scan()
    site.drop("small.csv")
    await site.scan(after_s=1)
    site.now_s += PATIENCE_S
    await site.intake.scan()
    await until(lambda: [each.source.name for each in site.temporal.started.values()] == ["small.csv"], "small first")
    assert "huge.csv" in site.waiting()
    begun_s = time.monotonic()
    await site.intake.close()
    assert time.monotonic() - begun_s < 10, "a stop does not wait for the hash"


async def test_looking_at_waiting_files_touches_none_that_is_in_line(make_site: MakeSite) -> None:
    site = make_site()
    site.temporal.reachable = False
    for number in range(600):
        site.drop(f"users-{number}.csv")
    await site.settle()
    report = await site.scan()
    assert report.queued > 300
    assert report.settling == 0


async def test_the_key_of_a_batch_tells_its_policy(make_site: MakeSite) -> None:
    site = make_site(identity="content")
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    assert receipt.identity.key == identity_key("content", name=b"users.csv", sha256=receipt.source.sha256)
