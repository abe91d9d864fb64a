"""batchctl with a configuration of several feeds: which batches and files a command is about, and of which feed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from described_feeds import DescribedFeeds
from terminal_window import in_window


def test_a_list_shows_the_feed_of_each_batch_and_file_and_can_keep_to_one(feeds: DescribedFeeds) -> None:
    contacts, sites = feeds.completed("contacts"), feeds.completed("sites")
    assert contacts.id != sites.id
    (feeds.inbox("leads") / "note.txt").write_text("x")
    answer = feeds.runner.run("list", "--all")
    heading, *lines = answer.out.splitlines()
    assert heading.split()[:3] == ["BATCH", "FEED", "FILE"]
    assert {tuple(each.split()[:3]) for each in lines[:2]} == {
        (contacts.id, "contacts", "users.csv"),
        (sites.id, "sites", "users.csv"),
    }
    assert lines[-1].split()[:3] == ["leads", "note.txt", "left"]
    listed = feeds.runner.run("list", "--all", "--feed", "sites", "--json").json()
    assert [(each["id"], each["feed"], each["api"]) for each in listed["batches"]] == [(sites.id, "sites", "places")]
    assert listed["files"] == []
    [file] = feeds.runner.run("list", "--all", "--feed", "leads", "--json").json()["files"]
    assert (file["name"], file["feed"]) == ("note.txt", "leads")


@pytest.mark.parametrize("columns", [50, 80])
def test_in_a_narrow_window_the_feed_gives_way_before_the_state(feeds: DescribedFeeds, columns: int) -> None:
    feeds.completed("contacts")
    code, lines, _ = in_window(columns, "list")
    assert code == 0
    assert max(map(len, lines)) <= columns
    assert any(" completed " in each and " 100 %" in each for each in lines)


def test_the_state_of_a_batch_names_its_feed_and_api_and_its_output_is_where_the_feed_has_it(
    feeds: DescribedFeeds,
) -> None:
    done = feeds.completed("sites")
    assert "feed      sites, API places" in feeds.runner.run("status", done.id).out
    document = feeds.runner.run("status", "users.csv", "--json").json()
    assert (document["feed"], document["api"], document["output_dir"]) == ("sites", "places", done.output_dir)


def test_without_a_file_the_feed_is_default_and_no_table_shows_it(runner: BatchctlRunner) -> None:
    done = runner.completed()
    assert "\nfeed " not in runner.run("status", done.id).out
    assert "FEED" not in runner.run("list").out
    document = runner.run("status", done.id, "--json").json()
    assert (document["feed"], document["api"]) == ("default", "default")


def test_a_batch_of_a_feed_that_went_is_still_known_with_its_folders(feeds: DescribedFeeds) -> None:
    done = feeds.completed("sites")
    feeds.configure({"contacts": "people"})
    document = feeds.runner.run("status", done.id, "--json").json()
    assert (document["feed"], document["output_dir"]) == ("sites", done.output_dir)
    assert done.id in feeds.runner.run("list", "--feed", "sites").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--feed", "contact"], "there is no feed 'contact'; did you mean contacts?"),
        (["watch", "--feed", "zzz"], "there is no feed 'zzz'; there is contacts, leads, sites"),
        (["doctor", "--feed", "site"], "there is no feed 'site'; did you mean sites?"),
        (["explain", "x.csv", "--feed", "lead"], "there is no feed 'lead'; did you mean leads?"),
        (["explain", "x.csv"], "there are 3 feeds (contacts, leads, sites); add --feed with one of them"),
        (["submit", "x.csv"], "there are 3 feeds (contacts, leads, sites); add --feed with one of them"),
        (["set", "--feed", "lead", "rate=1"], "there is no feed 'lead'; did you mean leads?"),
        (["set", "--api", "place", "rate=1"], "there is no API 'place'; did you mean places?"),
    ],
)
def test_a_feed_or_an_api_that_there_is_not_is_exit_code_2(
    feeds: DescribedFeeds, arguments: list[str], message: str
) -> None:
    answer = feeds.runner.run(*arguments)
    assert (answer.code, answer.err) == (2, f"batchctl: {message}\n")


def test_limits_are_set_for_the_batches_of_one_api_or_of_one_feed(feeds: DescribedFeeds) -> None:
    feeds.receipt("contacts", state="running")
    assert "no batch of the API places is running" in feeds.runner.run("set", "--api", "places", "rate=1").err
    assert "no batch of the feed leads is running" in feeds.runner.run("set", "--feed", "leads", "rate=1").err
    assert feeds.runner.run("set", "--api", "people", "rate=1").code == 3  # it would be asked, and nobody answers
    assert feeds.runner.run("set", "--feed", "leads", "--all", "rate=1").code == 2


def test_a_file_is_submitted_to_the_feed_that_is_named(feeds: DescribedFeeds, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("id\n1\n")
    assert feeds.runner.run("submit", str(file), "--feed", "leads").code == 0
    assert (feeds.inbox("leads") / "new.csv").read_text() == "id\n1\n"
    refused = feeds.runner.run("submit", str(file), "--feed", "leads", "--name", "new.txt")
    assert "does not match feed.leads.pattern (*.csv)" in refused.err


def test_a_file_is_explained_by_the_rules_of_the_feed_it_lies_in(feeds: DescribedFeeds) -> None:
    feeds.completed("contacts", "one.csv")
    waiting = feeds.inbox("leads") / "one.csv"
    waiting.write_text("id\n1\n")
    for name in (str(waiting), "one.csv"):
        document = feeds.runner.run("explain", name, "--json").json()
        assert (document["state"], document["fates"]) == ("waiting", [])
    past = feeds.runner.run("explain", "one.csv", "--feed", "contacts", "--json").json()
    assert past["state"] == "completed"
    waiting.unlink()
    assert feeds.runner.run("explain", "one.csv", "--json").json()["state"] == "completed"


def test_a_batch_is_done_again_in_the_folders_of_its_feed(feeds: DescribedFeeds) -> None:
    old = feeds.completed("sites")
    source = feeds.inbox("sites") / "archive" / old.id / "users.csv"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"id\n1\n")
    sha256 = hashlib.sha256(b"id\n1\n").hexdigest()
    feeds.runner.receipts.write(replace(old, source=replace(old.source, sha256=sha256), generation=2))
    answer = feeds.runner.run("rerun", old.id, "--reason", "again")
    assert answer.code == 0, answer.err
    new = feeds.runner.receipts.read(answer.out.strip())
    assert new is not None
    assert (new.inbox, Path(new.output_dir).parent) == (str(feeds.inbox("sites")), feeds.output_root("sites"))
    assert (feeds.inbox("sites") / ".processing" / new.id / "users.csv").exists()
    assert feeds.runner.run("list", "--feed", "sites", "--json").json()["batches"][0]["id"] == new.id


def test_doctor_gives_each_of_several_feeds_one_line(feeds: DescribedFeeds) -> None:
    feeds.inbox("leads").rmdir()
    checks = {each["check"]: each for each in feeds.runner.run("doctor", "--json").json()["checks"]}
    assert [each for each in checks if each.startswith("feed ")] == ["feed contacts", "feed leads", "feed sites"]
    assert checks["feed leads"]["level"] == "FAIL"
    assert "set feed.leads.inbox" in checks["feed leads"]["found"]
    assert "no batchd watches" in checks["feed contacts"]["found"]
    assert {"api people", "api places"} <= checks.keys()
    only = {each["check"] for each in feeds.runner.run("doctor", "--feed", "sites", "--json").json()["checks"]}
    assert "feed leads" not in only
    assert {"feed sites", "api places"} <= only
    assert "api people" not in only


def test_a_file_in_the_folder_of_a_feed_that_went_is_explained_as_that(feeds: DescribedFeeds) -> None:
    feeds.completed("sites")
    left = feeds.inbox("sites") / "late.csv"
    left.write_text("id\n1\n")
    feeds.configure({"contacts": "people"})
    for name in (str(left), "late.csv"):
        explained = feeds.runner.run("explain", name, "--json").json()
        assert explained["state"] == "left"
        assert explained["summary"] == (
            f"the feed sites is not in the configuration any more, so nobody takes files from {feeds.inbox('sites')}; "
            "the file stays where it is"
        )
        assert explained["todo"] == "add [feed.sites] again, or move the file into the inbox of a feed (contacts)"
    assert feeds.runner.run("explain", "late.csv", "--feed", "contacts", "--json").json()["state"] == "absent"
    assert feeds.runner.run("explain", "users.csv", "--feed", "sites", "--json").json()["state"] == "completed"


def test_rules_name_the_setting_of_the_feed(feeds: DescribedFeeds) -> None:
    (feeds.inbox("leads") / "notes.txt").write_text("x")
    answer = feeds.runner.run("explain", "notes.txt")
    assert "change feed.leads.pattern" in answer.out


def test_the_table_of_feeds_counts_files_batches_and_rows_of_today(feeds: DescribedFeeds) -> None:
    today = datetime.now(tz=UTC).isoformat()
    feeds.completed("contacts", "new.csv", finished_at=today)
    feeds.completed("contacts", "old.csv", finished_at="2026-01-01T10:00:00+00:00")
    for name in ("a.csv", "b.csv", "other.txt", ".hidden.csv"):
        (feeds.inbox("leads") / name).write_text("id\n")
    answer = feeds.runner.run("feeds", "--json")
    found = {each["feed"]: each for each in answer.json()["feeds"]}
    assert (answer.code, list(found)) == (0, ["contacts", "leads", "sites"])
    assert found["contacts"] == {
        "feed": "contacts",
        "api": "people",
        "inbox": str(feeds.inbox("contacts")),
        "pattern": "*.csv",
        "gone": False,
        "files": 0,
        "running": 0,
        "waiting": 0,
        "paused": 0,
        "rows_today": 100,
        "outage": None,
    }
    assert found["leads"]["files"] == 2


def test_without_temporal_the_table_of_feeds_shows_what_is_known_and_exits_with_3(feeds: DescribedFeeds) -> None:
    feeds.receipt("sites", state="running")
    feeds.inbox("leads").rmdir()
    answer = feeds.runner.run("feeds", "--json")
    found = {each["feed"]: each for each in answer.json()["feeds"]}
    assert (answer.code, found["sites"]["waiting"], found["leads"]["files"]) == (3, 1, None)
    assert "the last known state is shown" in answer.err


def test_a_feed_that_went_is_listed_while_it_has_files_or_batches(feeds: DescribedFeeds) -> None:
    feeds.completed("sites")
    feeds.completed("leads")
    feeds.configure({"contacts": "people"})
    assert "sites" not in feeds.runner.run("feeds").out
    (feeds.inbox("sites") / "late.csv").write_text("id\n")
    found = {each["feed"]: each for each in feeds.runner.run("feeds", "--json").json()["feeds"]}
    assert list(found) == ["contacts", "sites"]
    assert (found["sites"]["gone"], found["sites"]["files"], found["sites"]["pattern"]) == (True, 1, None)
    assert "gone: not in the configuration any more" in feeds.runner.run("feeds").out


IN_80_COLUMNS = """\
FEED      API     FILES  RUNNING  WAITING  PAUSED  ROWS TODAY  INBOX
contacts  people      0        0        0       0           0  …/in/contacts
leads     people      1        0        0       0           0  …t_0/in/leads
sites     places      0        0        0       0           0  …t_0/in/sites
"""
IN_50_COLUMNS = """\
FEED      FILES  RUNNING  WAITING  ROWS TODAY
contacts      0        0        0           0
leads         1        0        0           0
sites         0        0        0           0
"""


@pytest.mark.parametrize(("columns", "table"), [(80, IN_80_COLUMNS), (50, IN_50_COLUMNS)])
def test_the_table_of_feeds_fits_the_window(feeds: DescribedFeeds, columns: int, table: str) -> None:
    (feeds.inbox("leads") / "a.csv").write_text("id\n")
    code, lines, _ = in_window(columns, "feeds")
    assert code == 0
    cut = re.compile(r"\S*…\S*")  # the folder of this run of the test
    assert [cut.sub("…", each.rstrip()) for each in lines if each.strip()] == cut.sub("…", table).splitlines()
