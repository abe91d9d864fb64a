"""Never early, never twice, never lost: what becomes of the files in an inbox, judged by where they lie."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from intake_site import CSV, PATIENCE_S, Site, until

from activities.failpoints import watched
from activities.filing import file_source
from daemon.intake import watch
from daemon.intake.leader import Leadership, is_watched
from daemon.rerun import Reruns
from workflows.ids import batch_id, identity_key
from workflows.models import BatchRef, Counts, FileSource, Outcome

Make = Callable[..., Site]


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Site] = []

    def site(name: str = "site", **settings: Any) -> Site:
        made.append(Site(tmp_path / name, **settings))
        return made[-1]

    yield site
    for each in made:
        await each.close()


def end(site: Site, batch: str, outcome: Outcome, **facts: Any) -> None:
    """End a batch as its workflow does."""
    request = site.temporal.started[batch]
    ref = BatchRef(id=batch, source=request.source, csv=request.shape.csv)
    file_source(site.inbox, site.receipts, FileSource(batch=ref, outcome=outcome, **facts))


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [each.__dict__["fields"] for each in caplog.records if each.getMessage() == event]


async def test_a_settled_file_is_claimed_and_its_workflow_started_once(make: Make) -> None:
    site = make()
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


async def test_a_small_file_is_worked_in_memory_and_one_of_many_pages_by_cursor(make: Make) -> None:
    site = make(page_rows=1, in_memory_max_bytes=2_000)
    site.drop("small.csv", b"id\n" + b"1\n" * 200)
    site.drop("many-pages.csv", b"id\n" + b"1\n" * 400)
    site.drop("long.csv", b"id\n" + b"1234567\n" * 300)
    await site.settle()
    modes = {site.temporal.started[each].source.name: mode for each, mode in site.temporal.modes.items()}
    assert modes == {"small.csv": "in-memory", "many-pages.csv": "cursor", "long.csv": "cursor"}


@pytest.mark.parametrize("outcome", ["running", "completed", "failed", "cancelled"])
async def test_the_same_file_again_is_set_aside_whatever_became_of_the_first(make: Make, outcome: Any) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    if outcome != "running":
        end(site, first.id, outcome, reason="users.csv line 3: broken", counts=Counts(records=2))
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


async def test_the_same_file_is_a_duplicate_after_temporal_has_forgotten_it(make: Make) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    end(site, first.id, "completed")
    site.temporal.started.clear()
    site.new_intake()
    site.drop("users.csv")
    await site.settle()
    assert "users.csv" in site.under("duplicates")
    assert site.temporal.started == {}


async def test_other_bytes_under_the_same_name_are_a_new_batch(make: Make) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    site.drop("users.csv", CSV + b"3,c\n")
    await site.settle()
    assert len(site.temporal.started) == 2


@pytest.mark.parametrize(("identity", "batches"), [("name+content", 2), ("content", 1), ("name", 2)])
async def test_the_same_bytes_under_another_name_are_what_the_policy_says(
    make: Make, identity: str, batches: int
) -> None:
    site = make(identity=identity)
    site.drop("b.csv")
    await site.settle()
    site.drop("a.csv")
    await site.settle()
    assert len(site.temporal.started) == batches
    assert ("a.csv" in site.under("duplicates")) is (batches == 1)


async def test_two_names_of_one_content_dropped_together_are_one_batch_where_content_counts(make: Make) -> None:
    site = make(identity="content")
    for number in range(12):
        site.drop(f"name-{number}.csv")
    await site.settle(scans=4)
    assert len(site.temporal.started) == 1
    assert len(site.under("duplicates")) == 22


async def test_one_name_is_one_batch_for_ever_where_the_name_counts(make: Make) -> None:
    site = make(identity="name")
    site.drop("users.csv")
    await site.settle()
    site.drop("users.csv", CSV + b"3,c\n")
    await site.settle()
    assert len(site.temporal.started) == 1
    assert "users.csv" in site.under("duplicates")


@pytest.mark.parametrize("spoilt", ["SourceChanged", "SourceVanished"])
async def test_a_file_dropped_again_after_its_source_was_spoilt_can_be_done_again(make: Make, spoilt: str) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    claimed = site.inbox / ".processing" / first.id / "users.csv"
    claimed.unlink()
    if spoilt == "SourceChanged":
        claimed.write_bytes(CSV + b"grown\n")
    end(site, first.id, "failed", reason="spoilt", error_type=spoilt)
    site.drop("users.csv")
    await site.settle()
    [failed] = site.all_receipts()
    new = Reruns(site.inbox, site.state_dir, site.inbox.parent).prepare(failed, reason="whole again")
    await site.settle()
    assert new.id in site.temporal.started
    assert (site.inbox / ".processing" / new.id / "users.csv").read_bytes() == CSV


NAMES = [
    b"a b.csv",
    b"quote'\".csv",
    b"new\nline.csv",
    b"..csv",
    b"x.." + b".csv",
    b"-rf.csv",
    b"\x1b[31mred.csv",
    "émoji-😀.csv".encode(),
    b"\xff\xfe\x80.csv",
    b"UPPER.CSV",
    b"*.csv",
    b"$(touch x).csv",
    b"l" * 251 + b".csv",
    b"failed.csv",
]


async def test_every_name_that_linux_allows_is_taken_and_kept(make: Make) -> None:
    site = make()
    wanted = [each for each in NAMES if not each.startswith(b".")]
    for number, name in enumerate(NAMES):
        site.drop(name, CSV + b"%d,x\n" % number)
    await site.settle()
    assert {os.fsencode(each.source.file) for each in site.all_receipts()} == set(wanted)
    for each in site.all_receipts():
        json.dumps(each.source.name, ensure_ascii=False).encode()
        end(site, each.id, "failed", reason="x")
        assert (site.inbox / "failed" / each.id / each.source.file).is_file()
    for number, name in enumerate(NAMES):
        site.drop(name, CSV + b"%d,x\n" % number)
    await site.settle()
    assert len(site.under("duplicates")) == 2 * len(wanted)


@pytest.mark.parametrize(
    "name", [".hidden.csv", "a.csv.part", "a.csv.PARTIAL", "a.csv.filepart", "a.csv.tmp", "a.csv.crdownload", "a.csv~"]
)
async def test_unfinished_and_hidden_names_are_passed_over_in_silence(
    make: Make, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO)
    site = make(pattern="*")
    site.drop(name)
    await site.settle()
    assert site.waiting() == [name]
    assert caplog.records == []


async def test_what_is_no_file_is_never_opened_or_moved_and_told_of_once(
    make: Make, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO)
    site = make()
    secret = tmp_path / "secret.csv"
    secret.write_bytes(CSV)
    (site.inbox / "link.csv").symlink_to(secret)
    (site.inbox / "loop.csv").symlink_to("loop.csv")
    (site.inbox / "folder.csv").mkdir()
    os.mkfifo(site.inbox / "fifo.csv")
    site.drop("notes.txt", b"hello")
    report = await site.settle(scans=4)
    assert report.left == 5
    there = sorted(each.name for each in site.inbox.iterdir())
    assert there == ["fifo.csv", "folder.csv", "link.csv", "loop.csv", "notes.txt"]
    left = {each["file"]: each["why"] for each in events(caplog, "file.left")}
    assert len(events(caplog, "file.left")) == 5
    assert "symbolic link" in left["link.csv"]
    assert "BATCH_PATTERN" in left["notes.txt"]


CONTENTS = {
    "gzip": b"\x1f\x8b\x08" + b"x" * 20,
    "xlsx": b"PK\x03\x04" + b"x" * 20,
    "html": b"\xef\xbb\xbf\n<!DOCTYPE html><html>",
    "jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "pdf": b"%PDF-1.7\n",
    "utf16": "id,name\n1,a\n".encode("utf-16-le"),
    "empty": b"",
}


@pytest.mark.parametrize("kind", CONTENTS)
async def test_what_is_no_csv_file_is_moved_away_with_its_reason(make: Make, kind: str) -> None:
    site = make()
    site.drop("users.csv", CONTENTS[kind])
    site.drop("good.csv")
    await site.settle()
    [folder] = site.inbox.glob("failed/refused-users-*")
    assert sorted(each.name for each in folder.iterdir()) == ["REASON.json", "REASON.txt", "users.csv"]
    assert (folder / "users.csv").read_bytes() == CONTENTS[kind]
    reason = json.loads((folder / "REASON.json").read_text())
    assert reason["outcome"] == "refused"
    assert reason["what"]
    assert reason["mend"]
    assert [each.source.name for each in site.temporal.started.values()] == ["good.csv"]


async def test_a_file_over_the_size_limit_is_refused_without_being_read(make: Make) -> None:
    site = make(max_file_bytes=10)
    site.drop("users.csv")
    with watched(lambda name: (_ for _ in ()).throw(Killed) if name == "identify.open" else None):
        await site.settle()
    assert "BATCH_MAX_FILE_BYTES" in next(site.inbox.glob("failed/refused-users-*/REASON.txt")).read_text()


async def test_a_refused_file_that_is_put_back_unchanged_is_refused_again(make: Make) -> None:
    site = make()
    site.drop("users.csv", CONTENTS["pdf"])
    await site.settle()
    [refused] = site.inbox.glob("failed/refused-users-*/users.csv")
    for _ in range(2):
        shutil.move(refused, site.inbox / "users.csv")
        await site.settle()
    assert refused.is_file()
    assert site.waiting() == []


async def test_a_file_that_may_not_be_read_is_left_until_it_may_be(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make()
    path = site.drop("users.csv")

    def forbid(name: str) -> None:
        if name == "identify.open":
            raise PermissionError(13, "Permission denied")

    with watched(forbid):
        await site.settle()
        report = await site.scan(after_s=PATIENCE_S)
    assert report.left == 1
    assert site.waiting() == ["users.csv"]
    assert len(events(caplog, "file.left")) == 1
    path.chmod(0o644)
    path.chmod(0o600)
    await site.settle()
    assert len(site.claimed()) == 1


async def test_a_full_disk_delays_a_file_and_loses_nothing(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    site = make()
    site.drop("users.csv")
    site.drop("other.csv")

    def full(name: str) -> None:
        if name in {"claim.folder_made", "receipt.write.before"}:
            raise OSError(28, "No space left on device")

    with watched(full):
        await site.settle(scans=4)
    assert site.temporal.started == {}
    assert len(events(caplog, "file.delayed")) == 2
    await site.settle()
    assert len(site.temporal.started) == 2
    assert len(site.claimed()) == 2


async def test_while_temporal_is_unreachable_files_stay_claimed_and_it_is_said_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make()
    site.temporal.reachable = False
    for number in range(20):
        site.drop(f"users-{number}.csv")
    await site.settle(scans=5)
    assert len(site.claimed()) == 20
    assert len(events(caplog, "temporal.unreachable")) == 1
    site.temporal.reachable = True
    await site.scan(after_s=1)
    assert len(site.temporal.started) == 20
    assert len(events(caplog, "temporal.reachable")) == 1


async def test_claims_do_not_run_far_ahead_of_starts(make: Make) -> None:
    site = make()
    site.temporal.reachable = False
    for number in range(330):
        site.drop(f"users-{number}.csv")
    await site.settle(scans=3)
    assert 0 < len(site.waiting()) < 100
    site.temporal.reachable = True
    await site.settle()
    assert len(site.temporal.started) == 330


async def test_starts_in_flight_are_bounded(make: Make) -> None:
    site = make(starts_in_flight=3)
    site.temporal.start_s = 0.001
    for number in range(40):
        site.drop(f"users-{number}.csv")
    await site.settle()
    assert len(site.temporal.started) == 40
    assert site.temporal.most_open_calls == 3


async def test_a_start_whose_reply_was_lost_is_no_failure_and_no_second_start(make: Make) -> None:
    site = make()
    site.temporal.lose_replies = 1
    site.drop("users.csv")
    await site.settle()
    await site.scan()
    assert len(site.temporal.started) == 1
    assert len(site.temporal.asked) == 2


async def test_the_oldest_file_is_taken_first(make: Make) -> None:
    site = make(hashes_in_flight=1, starts_in_flight=1)
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


async def test_a_huge_file_does_not_hold_back_a_small_one(make: Make) -> None:
    site = make(hashes_in_flight=1)
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


STEPS = ["claimed", "refused", "duplicate", "marker"]


async def killed_at(site: Site, step: int) -> bool:
    """Run the intake until its `step`-th failpoint kills it; False where it came to its end first."""
    passed = 0

    def hook(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            raise Killed

    with watched(hook):
        try:
            await site.settle()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("story", STEPS)
async def test_killed_at_any_step_the_next_daemon_ends_the_same(make: Make, story: str) -> None:
    for step in range(1, 100):
        site = make(f"{story}-{step}", ready_marker="{name}.done" if story == "marker" else "")
        if story == "duplicate":
            site.drop("users.csv")
            await site.settle()
        site.drop("users.csv", CONTENTS["pdf"] if story == "refused" else CSV)
        if story == "marker":
            site.drop("users.csv.done", b"rows=2")
        killed = await killed_at(site, step)
        await site.close()
        site.new_intake()
        await site.settle()
        await site.scan()
        assert site.waiting() == []
        assert len(site.temporal.started) == (story != "refused")
        assert len(site.claimed()) == {"refused": 0, "marker": 2}.get(story, 1)
        expected = {"duplicate": ["users.csv", "users.csv.receipt.json"]}.get(story, [])
        assert site.under("duplicates") == expected
        assert len(site.under("failed")) == (3 if story == "refused" else 0)
        assert len(site.all_receipts()) == (story != "refused")
        await site.close()
        if not killed:
            assert step > 3
            return


async def test_a_batch_ended_in_temporal_past_us_is_filed_with_that_reason(make: Make) -> None:
    site = make()
    names = {"terminated": "failed", "timed_out": "failed", "failed": "failed", "cancelled": "failed"}
    for name in names:
        site.drop(f"{name}.csv", CSV + name.encode() + b",x\n")
    await site.settle()
    site.new_intake()
    for receipt in site.all_receipts():
        site.receipts.write(receipt.__class__(**{**_fields(receipt), "state": "running"}))
        site.temporal.outcomes[receipt.id] = receipt.source.name.removesuffix(".csv")  # type: ignore[assignment]
    await site.scan()
    await site.scan(after_s=site.settings.rescan_s)
    assert site.claimed() == []
    for receipt in site.all_receipts():
        name = receipt.source.name.removesuffix(".csv")
        assert receipt.state == ("cancelled" if name == "cancelled" else "failed")
        assert "Temporal" in (site.inbox / "failed" / receipt.id / "REASON.txt").read_text()


async def test_a_batch_that_temporal_has_lost_is_started_again(make: Make) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    site.receipts.write(receipt.__class__(**{**_fields(receipt), "state": "running"}))
    site.temporal.started.clear()
    site.new_intake()
    await site.scan()
    await site.scan(after_s=site.settings.rescan_s)
    assert list(site.temporal.started) == [receipt.id]


def _fields(receipt: Any) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in receipt.__slots__}


async def test_a_file_laid_into_processing_with_its_receipt_is_started(make: Make) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    [old] = site.all_receipts()
    key = old.identity.key + "\nrerun:1"
    new_id = batch_id(b"users.csv", key)
    site.receipts.write(old.__class__(**{**_fields(old), "id": new_id, "workflow_id": f"batch-{new_id}"}))
    (site.inbox / ".processing" / new_id).mkdir()
    (site.inbox / ".processing" / new_id / "users.csv").write_bytes(CSV)
    await site.scan()
    assert new_id in site.temporal.started


async def test_a_leftover_without_a_receipt_under_a_wrong_id_becomes_the_batch_it_is(make: Make) -> None:
    site = make()
    wrong = site.inbox / ".processing" / "users-0123456789ab"
    wrong.mkdir(parents=True)
    (wrong / "users.csv").write_bytes(CSV)
    await site.settle()
    [receipt] = site.all_receipts()
    assert site.claimed() == [f"{receipt.id}/users.csv"]
    assert not wrong.exists()


async def test_a_torn_receipt_costs_one_more_hash_and_nothing_else(make: Make) -> None:
    site = make()
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    (site.receipts.folder / f"{receipt.id}.json").write_bytes(b'{"id": "use')
    site.new_intake()
    await site.settle()
    assert site.all_receipts()[0].id == receipt.id
    assert len(site.temporal.started) == 1
    assert site.under("duplicates") == []


async def test_two_daemons_without_a_lock_never_start_a_file_twice_nor_lose_one(make: Make) -> None:
    site = make()
    first, second = site.intake, site.new_intake()
    for number in range(60):
        site.drop(f"users-{number}.csv", CSV + b"%d,x\n" % number)
    for _ in range(6):
        await asyncio.gather(first.scan(), second.scan())
        await asyncio.gather(first.idle(), second.idle())
        site.now_s += PATIENCE_S
    assert len(site.temporal.started) == 60
    assert len(site.claimed()) == 60
    assert site.waiting() == []
    assert site.under("duplicates") == []


async def test_only_one_of_two_daemons_works_and_the_other_takes_over(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = make(settle_s=0.05, rescan_s=0.2)
    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(watch(site.settings, site.temporal, stops[0]))
    await until(lambda: is_watched(site.inbox), "the first leads")
    ready = asyncio.Event()
    second = asyncio.create_task(watch(site.settings, site.temporal, stops[1], on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    await until(lambda: events(caplog, "inbox.standby"), "the second stands by")
    site.drop("one.csv", CSV + b"1,x\n")
    await until(lambda: len(site.temporal.started) == 1, "one.csv is started")
    stops[0].set()
    await first
    await until(lambda: events(caplog, "inbox.taken_over"), "the second leads")
    site.drop("two.csv", CSV + b"2,x\n")
    await until(lambda: len(site.temporal.started) == 2, "two.csv is started")
    stops[1].set()
    await second
    assert len(events(caplog, "inbox.standby")) == 1
    assert not is_watched(site.inbox)


def test_leading_ends_when_the_folder_of_the_lock_is_replaced(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    leadership, other = Leadership(inbox), Leadership(inbox)
    assert leadership.holds()
    assert not other.holds()
    shutil.rmtree(inbox)
    with pytest.raises(FileNotFoundError):
        leadership.holds()
    inbox.mkdir()
    assert other.holds()
    assert not leadership.holds()
    other.release()
    assert leadership.holds()
    leadership.release()


async def test_a_lost_inbox_is_told_of_once_and_never_made_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    site = make()
    await site.scan()
    away = site.inbox.with_name("away")
    site.inbox.rename(away)
    for _ in range(3):
        report = await site.scan(after_s=10)
        assert report.lost
    assert not site.inbox.exists()
    assert len(events(caplog, "inbox.lost")) == 1
    away.rename(site.inbox)
    site.drop("users.csv")
    await site.settle()
    assert len(events(caplog, "inbox.found")) == 1
    assert len(site.temporal.started) == 1


async def test_an_inbox_that_is_replaced_under_the_daemon_is_worked_on(make: Make) -> None:
    site = make(settle_s=0.05, rescan_s=0.3)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(watch(site.settings, site.temporal, stop, on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    for number in range(3):
        site.inbox.rename(site.inbox.with_name(f"old-{number}"))
        await asyncio.sleep(0.4 * (number % 2))
        site.inbox.mkdir()
        site.drop("users.csv", CSV + b"%d,x\n" % number)
        await until(lambda number=number: len(site.temporal.started) == number + 1, "the new inbox is worked")
    stop.set()
    await running


async def test_with_events_switched_off_a_file_is_found_by_the_rescan(make: Make) -> None:
    site = make(settle_s=0.05, rescan_s=0.2, watch_events=False)
    stop = asyncio.Event()
    running = asyncio.create_task(watch(site.settings, site.temporal, stop))
    site.drop("users.csv")
    await until(lambda: site.temporal.started, "the file is started")
    stop.set()
    await running


async def test_many_files_dropped_while_the_daemon_is_stopped_are_each_one_batch(make: Make) -> None:
    site = make(settle_s=0.0, rescan_s=0.5)
    for number in range(500):
        site.drop(f"users-{number}.csv", CSV + b"%d,x\n" % number)
    stop = asyncio.Event()
    running = asyncio.create_task(watch(site.settings, site.temporal, stop))
    await until(lambda: len(site.temporal.started) == 500, "all are started", 60)
    stop.set()
    await running
    assert len(site.temporal.asked) == 500
    assert len(site.claimed()) == 500


@pytest.mark.soak
@pytest.mark.timeout(1_800)
async def test_20_000_files_dropped_while_the_daemon_is_stopped_are_each_one_batch(make: Make) -> None:
    site = make(settle_s=0.0, rescan_s=1.0)
    for number in range(20_000):
        site.drop(f"users-{number}.csv", CSV + b"%d,x\n" % number)
    stop = asyncio.Event()
    running = asyncio.create_task(watch(site.settings, site.temporal, stop))
    await until(lambda: len(site.temporal.started) == 20_000, "all are started", 1_500)
    stop.set()
    await running
    assert len(site.temporal.asked) == 20_000
    assert len(site.claimed()) == 20_000


async def test_looking_at_waiting_files_touches_none_that_is_in_line(make: Make) -> None:
    site = make()
    site.temporal.reachable = False
    for number in range(600):
        site.drop(f"users-{number}.csv")
    await site.settle()
    report = await site.scan()
    assert report.queued > 300
    assert report.settling == 0


async def test_the_key_of_a_batch_tells_its_policy(make: Make) -> None:
    site = make(identity="content")
    site.drop("users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    assert receipt.identity.key == identity_key("content", name=b"users.csv", sha256=receipt.source.sha256)
