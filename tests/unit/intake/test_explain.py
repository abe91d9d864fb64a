"""For every file there is an answer: which rule it waits for, or what became of it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

import pytest
from intake_site import CSV, MakeSite, Site

from daemon.intake.explain import Explanation, explain, waiting_files
from daemon.intake.leader import Leadership
from daemon.intake.observe.queue import LARGE_BYTES


def explained(site: Site, name: str | bytes) -> Explanation:
    """Explain as if a daemon were watching."""
    leadership = Leadership(site.inbox)
    assert leadership.holds()
    try:
        found = explain(site.settings, name)
    finally:
        leadership.release()
    json.dumps(asdict(found), ensure_ascii=False).encode()
    return found


async def test_a_file_that_passes_every_rule_waits_for_the_next_scan(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.drop("users.csv")
    found = explained(site, "users.csv")
    assert found.state == "waiting"
    assert all(each.passed for each in found.rules)
    assert [each.rule for each in found.rules] == [
        "service",
        "name",
        "pattern",
        "kind",
        "settled",
        "no writer",
        "not empty",
        "size",
        "readable",
        "content",
        "new",
    ]


async def test_without_a_daemon_that_is_what_is_missing(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.drop("users.csv")
    found = explain(site.settings, "users.csv")
    assert found.rules[0].passed is False
    assert found.summary == f"no batchd watches {site.inbox}"
    assert "batchd run" in found.todo


async def test_a_settling_file_says_for_how_long_it_will_still_wait(make_site: MakeSite) -> None:
    site = make_site(settle_s=60.0)
    site.drop("users.csv")
    found = explained(site, "users.csv")
    assert found.state == "settling"
    assert found.wait_s
    assert 30 < found.wait_s <= 60


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [
        (".users.csv", "ignored", "hidden"),
        ("users.csv.part", "ignored", "unfinished"),
        ("users.txt", "left", "*.csv"),
        ("link.csv", "left", "symbolic link"),
        ("fifo.csv", "left", "FIFO"),
        ("folder.csv", "left", "folder"),
        ("empty.csv", "settling", "unchanged"),
        ("picture.csv", "refused", "JPEG"),
        ("long.csv", "refused", "BATCH_MAX_FILE_BYTES"),
        ("nothing.csv", "absent", "no such file"),
    ],
)
async def test_the_first_rule_that_a_file_breaks_is_named(
    make_site: MakeSite, name: str, state: str, word: str
) -> None:
    site = make_site(settle_s=0.0, max_file_bytes=100)
    for each in (".users.csv", "users.csv.part", "users.txt"):
        site.drop(each)
    (site.inbox / "link.csv").symlink_to(site.inbox / "users.txt")
    os.mkfifo(site.inbox / "fifo.csv")
    (site.inbox / "folder.csv").mkdir()
    site.drop("empty.csv", b"")
    site.drop("picture.csv", b"\xff\xd8\xff\xe0" + b"\0" * 20)
    site.drop("long.csv", CSV * 20)
    found = explained(site, name)
    assert found.state == state
    assert word in found.summary
    assert found.todo


@pytest.mark.parametrize(
    ("content", "why", "todo"),
    [
        (b'id,"name\n1,a\n', "a quote that is not closed", "close it"),
        (b"sep=x\nidxname\n1xa\n", "names the separator x", "no letter or digit"),
        (b"x" * 2_000_000, "longer than BATCH_MAX_RECORD_BYTES", "shorten it"),
    ],
)
@pytest.mark.parametrize("size_bytes", [0, LARGE_BYTES], ids=["small", "large"])
async def test_a_header_that_will_be_refused_is_told_before_the_scan_refuses_it(
    make_site: MakeSite, content: bytes, why: str, todo: str, size_bytes: int
) -> None:
    site = make_site(settle_s=0.0)
    site.drop("users.csv", content.ljust(size_bytes, b"1"))
    found = explained(site, "users.csv")
    assert (found.state, found.rules[-1].rule) == ("refused", "content")
    assert why in found.summary
    assert todo in found.todo


async def test_of_a_large_file_is_not_said_that_it_passes_what_was_not_looked_at(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    path = site.drop("users.csv", CSV + b"1,a\n" * 40_000)
    os.truncate(path, LARGE_BYTES)
    found = explained(site, "users.csv")
    assert (found.state, found.rules[-1].passed) == ("waiting", None)
    assert "whether it is new is found when its turn comes" in found.summary


async def test_a_missing_ready_marker_and_a_broken_promise_are_told_apart(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0, ready_marker="{name}.done")
    site.drop("users.csv")
    assert explained(site, "users.csv").state == "held"
    site.drop("users.csv.done", b"size=1")
    found = explained(site, "users.csv")
    assert found.state == "refused"
    assert "marker says 1 bytes" in found.summary
    assert explained(site, "users.csv.done").state == "ignored"


async def test_a_file_somebody_writes_to_names_the_writer(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    with site.drop("users.csv").open("ab"):
        found = explained(site, "users.csv")
    assert found.state == "held"
    assert f"process {os.getpid()}" in found.summary


async def test_a_second_drop_is_told_as_a_duplicate_before_and_after_it_is_set_aside(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.drop("users.csv")
    await site.settle()
    [first] = site.all_receipts()
    site.drop("users.csv")
    found = explained(site, "users.csv")
    assert found.state == "duplicate"
    assert first.id in found.summary
    await site.settle()
    found = explained(site, "users.csv")
    assert found.rules == []
    assert [each.became for each in found.fates] == ["duplicate", "claimed"]
    assert {each.batch_id for each in found.fates} == {first.id}


@pytest.mark.parametrize("outcome", ["completed", "failed", "cancelled"])
async def test_a_past_file_says_what_became_of_it(make_site: MakeSite, outcome: Any) -> None:
    site = make_site(settle_s=0.0)
    site.drop(b"\xff users.csv")
    await site.settle()
    [receipt] = site.all_receipts()
    site.end(receipt.id, outcome, reason="why not")
    found = explained(site, b"\xff users.csv")
    assert found.state == outcome
    assert found.fates[0].batch_id == receipt.id
    assert found.fates[0].where
    assert ("why not" in found.summary) is (outcome != "completed")
    assert ("rerun" in found.todo) is (outcome != "completed")


async def test_a_refused_file_is_explained_after_it_was_moved(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.drop("users.csv", b"%PDF-1.7")
    await site.settle()
    found = explained(site, "users.csv")
    assert found.state == "refused"
    assert "PDF" in found.summary
    assert found.fates[0].where
    assert (site.inbox / found.fates[0].where / "users.csv").is_file()


async def test_a_name_with_a_path_means_the_file_in_the_inbox(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.drop("users.csv")
    assert explained(site, "../../etc/users.csv").state == "waiting"


async def test_the_list_of_waiting_files_names_what_is_no_batch(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.drop("bad.csv", b"%PDF-1.7")
    await site.settle()
    site.drop("users.csv")
    site.drop("users.csv.part")
    site.drop(".hidden")
    os.mkfifo(site.inbox / "fifo.csv")
    (site.inbox / "archive").mkdir()
    listed = {each.name: each.state for each in waiting_files(site.settings)}
    assert listed == {"users.csv": "waiting", "users.csv.part": "ignored", "fifo.csv": "left", "bad.csv": "refused"}


async def test_without_an_inbox_the_list_says_so(make_site: MakeSite) -> None:
    site = make_site(settle_s=0.0)
    site.inbox.rmdir()
    [reported] = waiting_files(site.settings)
    assert "cannot be read" in reported.why
    assert explain(site.settings, "users.csv").state == "absent"
