"""`batchctl config`: every mistake at once, and what holds now, in windows of every width and in pipes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import ModuleType

import pytest
from batchctl_runner import BatchctlRunner

import daemon.batchctl.main
import daemon.command

BATCHCTL = Path(sys.executable).parent / "batchctl"
CANARY = "canary-5up3r"
GOOD = """[service]
output_root = "out"
[api.people]
url = "https://api.example.com/v5/person/enrich{?email,first_name,last_name}"
headers = { X-Api-Key = { file = "people.key" } }
answer = { rules = [{ status = 404, then = "not_found" }] }
[feed.contacts]
inbox = "inbox"
"""
BAD = GOOD.replace("output_root", "output_rot").replace('{ file = "people.key" }', f'"{CANARY}"')


@pytest.fixture
def ctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> BatchctlRunner:
    """Return batchctl in a folder without a file, and without variables."""
    ctl = BatchctlRunner(tmp_path, monkeypatch, capsys)
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daemon.config.arguments.USUAL_PATHS", (Path("batchd.toml"),))
    (tmp_path / "people.key").write_text(CANARY)
    (tmp_path / "people.key").chmod(0o600)
    return ctl


def in_window(columns: int, folder: Path, *arguments: str) -> list[str]:
    """Run batchctl in a folder, with a terminal of so many columns; return the lines of its standard output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen([BATCHCTL, *arguments], stdout=theirs, cwd=folder, env={**environ, "TERM": "dumb"}) as run:
        os.close(theirs)
        printed = b""
        while True:
            try:
                printed += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
        run.wait(20)
    os.close(ours)
    return printed.decode().splitlines()


def test_check_says_in_one_line_that_all_is_well(ctl: BatchctlRunner, tmp_path: Path) -> None:
    (tmp_path / "batchd.toml").write_text(GOOD)
    assert ctl.run("config", "check").out == "batchd.toml: 1 feed, 1 API\n"
    answer = ctl.run("config", "check", "--json")
    assert (answer.code, answer.json()) == (0, {"ok": True, "errors": [], "warnings": [], "feeds": 1, "apis": 1})


def test_check_without_a_file_is_about_the_variables(ctl: BatchctlRunner) -> None:
    answer = ctl.run("config", "check")
    assert (answer.code, answer.out) == (0, "BATCH_* variables: 1 feed, 1 API\n")


def test_check_shows_every_mistake_on_a_line_of_its_own_and_ends_with_2(ctl: BatchctlRunner, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(BAD)
    answer = ctl.run("config", "check", "other.toml")
    assert answer.code == 2
    assert answer.out == (
        "other.toml:2: service.output_rot: is no key of [service]; did you mean output_root?\n"
        "other.toml:5: api.people.headers.X-Api-Key: is given as a plain value and seems to be a secret; "
        'write { file = "/path" } or { env = "NAME" }\n'
    )
    assert answer.err == "batchctl: 2 mistakes; mend them all, then check again\n"
    found = ctl.run("config", "check", "other.toml", "--json")
    assert (found.code, found.json()["ok"]) == (2, False)
    assert [each["line"] for each in found.json()["errors"]] == [2, 5]
    assert CANARY not in answer.out + answer.err + found.out + found.err


def test_check_warns_of_what_works_and_may_not_be_meant(ctl: BatchctlRunner, tmp_path: Path) -> None:
    (tmp_path / "people.key").chmod(0o644)
    text = GOOD.replace("[feed", 'auth = { bearer = { env = "NO_SUCH" } }\n[api.geo]\nurl = "https://h"\n[feed')
    (tmp_path / "batchd.toml").write_text(text + 'api = "people"\n')
    answer = ctl.run("config", "check")
    assert answer.code == 0
    for warning in ("people.key can be read by every user", "NO_SUCH is not set", "no feed uses [api.geo]"):
        assert warning in answer.err


def test_show_has_every_value_its_origin_and_no_secret(ctl: BatchctlRunner, tmp_path: Path) -> None:
    (tmp_path / "batchd.toml").write_text(GOOD)
    plain = ctl.run("config", "show")
    assert f"(from {tmp_path}/people.key)" in plain.out
    assert "FROM" not in plain.out
    rows = [line.split() for line in ctl.run("config", "show", "--origin").out.splitlines()]
    assert ["feed.contacts.inbox", f'"{tmp_path}/inbox"', "batchd.toml:8"] in rows
    assert ["feed.contacts.settle_s", "2.0", "default"] in rows
    document = ctl.run("config", "show", "--origin", "--json").json()
    assert document["api"]["people"]["answer"]["rules"] == [{"status": 404, "then": "not_found"}]
    assert document["api"]["people"]["headers"] == {"X-Api-Key": f"(from {tmp_path}/people.key)"}
    assert document["origins"]["api.people.answer.rules[0]"] == "batchd.toml:6"
    assert len(document["config_sha256"]) == 64
    assert CANARY not in plain.out + json.dumps(document)


def test_show_without_a_file_has_the_variables(ctl: BatchctlRunner) -> None:
    ctl.set(BATCH_API_TOKEN=CANARY, BATCH_PAGE_ROWS=7)
    answer = ctl.run("config", "show", "--origin")
    rows = [line.split() for line in answer.out.splitlines()]
    assert ["feed.default.page_rows", "7", "BATCH_PAGE_ROWS"] in rows
    assert ["api.default.answer.fallback.region", '"UNKNOWN"', "default"] in rows
    assert "(from $BATCH_API_TOKEN)" in answer.out
    assert CANARY not in answer.out


def test_show_of_a_wrong_file_says_the_first_mistake_and_that_there_are_more(
    ctl: BatchctlRunner, tmp_path: Path
) -> None:
    (tmp_path / "batchd.toml").write_text(BAD)
    answer = ctl.run("config", "show")
    assert answer.code == 2
    assert "batchd.toml:2: service.output_rot" in answer.err
    assert "and 1 more; 'batchctl config check' shows all" in answer.err


@pytest.mark.parametrize("columns", [40, 100])
def test_nothing_is_wider_than_the_window_and_no_line_number_is_cut(
    ctl: BatchctlRunner, tmp_path: Path, columns: int
) -> None:
    (tmp_path / "batchd.toml").write_text(BAD)
    lines = in_window(columns, tmp_path, "config", "check")
    assert max(map(len, lines)) <= columns
    assert {"batchd.toml:2:", "batchd.toml:5:"} <= {each.split(" ")[0].rstrip(":") + ":" for each in lines}
    (tmp_path / "batchd.toml").write_text(GOOD)
    rows = in_window(columns, tmp_path, "config", "show", "--origin")
    assert max(map(len, rows)) <= columns
    assert any(each.rstrip().endswith("toml:8") for each in rows) is (columns == 100)


@pytest.mark.parametrize(
    ("program", "command"), [(daemon.batchctl.main, "list"), (daemon.command, "run")], ids=["batchctl", "batchd"]
)
def test_a_configuration_file_is_named_before_the_command_or_behind_it(program: ModuleType, command: str) -> None:
    for arguments in (["--config", "x.toml", command], [command, "--config", "x.toml"]):
        assert program.build_parser().parse_args(arguments).config == Path("x.toml")
    assert program.build_parser().parse_args([command]).config is None
