"""batchctl with a configuration of several feeds: which batches and files a command is about, and of which feed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from terminal_window import in_window

from activities.registry.receipts import Receipt
from daemon.config.configuration import load_configuration
from workflows.ids import batch_id, identity_key

APIS = '[api.people]\nurl = "http://127.0.0.1:1/"\n[api.places]\nurl = "http://127.0.0.1:1/"\n'


class Feeds:
    """Feeds `contacts` (people), `leads` (people) and `sites` (places), each with an inbox and an output root."""

    def __init__(self, runner: BatchctlRunner, root: Path, names: dict[str, str]) -> None:
        self.runner, self.root, self.file = runner, root, root / "batchd.toml"
        self.configure(names)

    def configure(self, names: dict[str, str]) -> None:
        sections = []
        for name, api in names.items():
            for folder in (self.inbox(name), self.output_root(name)):
                folder.mkdir(parents=True, exist_ok=True)
            places = f'inbox = "{self.inbox(name)}"\noutput_root = "{self.output_root(name)}"'
            sections.append(f'[feed.{name}]\napi = "{api}"\nsettle_s = 0\n{places}\n')
        self.file.write_text(APIS + "".join(sections))

    def inbox(self, feed: str) -> Path:
        return self.root / "in" / feed

    def output_root(self, feed: str) -> Path:
        return self.root / "results" / feed

    def receipt(self, feed: str, name: str = "users.csv", **facts: object) -> Receipt:
        """Write the receipt of a batch of a feed that is in the file."""
        identity = batch_id(name.encode(), identity_key("name+content", name=name.encode(), sha256="5" * 64, feed=feed))
        terms = load_configuration(self.file, {}, files=False).settings_of(feed).terms()
        folders = {"inbox": str(self.inbox(feed)), "output_dir": str(self.output_root(feed) / f"batch-{identity}")}
        return self.runner.receipt(name, **{"id": identity, "terms": terms, **folders, **facts})

    def completed(self, feed: str, name: str = "users.csv", **facts: object) -> Receipt:
        return self.runner.completed(name, **self._facts(self.receipt(feed, name, state="running")), **facts)

    @staticmethod
    def _facts(receipt: Receipt) -> dict[str, object]:
        return {"id": receipt.id, "terms": receipt.terms, "inbox": receipt.inbox, "output_dir": receipt.output_dir}


@pytest.fixture
def feeds(runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feeds:
    for name in ("BATCH_INBOX", "BATCH_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    made = Feeds(runner, tmp_path, {"contacts": "people", "leads": "people", "sites": "places"})
    runner.set(BATCH_CONFIG=made.file)
    runner.give_up_soon()
    return made


def test_a_list_shows_the_feed_of_each_batch_and_file_and_can_keep_to_one(feeds: Feeds) -> None:
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
def test_in_a_narrow_window_the_feed_gives_way_before_the_state(feeds: Feeds, columns: int) -> None:
    feeds.completed("contacts")
    code, lines, _ = in_window(columns, "list")
    assert code == 0
    assert max(map(len, lines)) <= columns
    assert any(" completed " in each and " 100 %" in each for each in lines)


def test_the_state_of_a_batch_names_its_feed_and_api_and_its_output_is_where_the_feed_has_it(feeds: Feeds) -> None:
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


def test_a_batch_of_a_feed_that_went_is_still_known_with_its_folders(feeds: Feeds) -> None:
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
def test_a_feed_or_an_api_that_there_is_not_is_exit_code_2(feeds: Feeds, arguments: list[str], message: str) -> None:
    answer = feeds.runner.run(*arguments)
    assert (answer.code, answer.err) == (2, f"batchctl: {message}\n")


def test_limits_are_set_for_the_batches_of_one_api_or_of_one_feed(feeds: Feeds) -> None:
    feeds.receipt("contacts", state="running")
    assert "no batch of the API places is running" in feeds.runner.run("set", "--api", "places", "rate=1").err
    assert "no batch of the feed leads is running" in feeds.runner.run("set", "--feed", "leads", "rate=1").err
    assert feeds.runner.run("set", "--api", "people", "rate=1").code == 3  # it would be asked, and nobody answers
    assert feeds.runner.run("set", "--feed", "leads", "--all", "rate=1").code == 2


def test_a_file_is_submitted_to_the_feed_that_is_named(feeds: Feeds, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("id\n1\n")
    assert feeds.runner.run("submit", str(file), "--feed", "leads").code == 0
    assert (feeds.inbox("leads") / "new.csv").read_text() == "id\n1\n"
    refused = feeds.runner.run("submit", str(file), "--feed", "leads", "--name", "new.txt")
    assert "does not match feed.leads.pattern (*.csv)" in refused.err


def test_a_file_is_explained_by_the_rules_of_the_feed_it_lies_in(feeds: Feeds) -> None:
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


def test_a_batch_is_done_again_in_the_folders_of_its_feed(feeds: Feeds) -> None:
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


def test_doctor_gives_each_of_several_feeds_one_line(feeds: Feeds) -> None:
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
