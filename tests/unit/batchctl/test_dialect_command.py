"""`batchctl dialect`: what is seen of a file, above all of one that is refused, and the section to paste."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from rich.cells import cell_len
from terminal_window import in_window

NO_HEADER = "1,Ann,2024-01-05\n2,Bob,2024-02-06\n3,Cid,2024-03-07\n"


@pytest.fixture
def folder(runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_that_nothing_speaks_against_is_certain(folder: Path, runner: BatchctlRunner) -> None:
    (folder / "good.csv").write_text("id;name\n1;Zo\u00eb\n2;Bob\n")
    answer = runner.run("dialect", "good.csv")
    assert answer.code == 0
    assert "encoding utf-8: all of the file is valid in it" in answer.out
    assert "fields   semicolon: 2 of the first 2 records are as wide as the header" in answer.out
    assert "certain  nothing speaks against it" in answer.out
    assert "TO PASTE" not in answer.out


def test_a_refused_file_is_shown_with_every_doubt_and_the_section_to_paste(
    folder: Path, runner: BatchctlRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    (folder / "bad.csv").write_bytes(
        "1;\u0410\u043d\u043d\u0430\n2;\u0418\u0432\u0430\u043d\n3;\u041e\u043b\u0435\u0433\n".encode("cp1251")
    )
    (folder / "batchd.toml").write_text(
        '[api.a]\nurl = "http://127.0.0.1:9/"\n[feed.people]\ninbox = "in"\n[feed.others]\ninbox = "other"\n'
    )
    answer = runner.run("--config", "batchd.toml", "dialect", "bad.csv", "--feed", "people")
    assert answer.code == 1
    assert "it may be cp1251" in answer.out
    found = runner.run("--config", "batchd.toml", "dialect", "bad.csv", "--feed", "people", "--json").json()
    assert found["doubts"][0]["check"] == "encoding"
    assert found["section"][0] == 'encoding = "cp1251"'
    assert found["refused"]

    (folder / "bad.csv").write_text(NO_HEADER)
    answer = runner.run("--config", "batchd.toml", "dialect", "bad.csv", "--feed", "people")
    assert answer.code == 1
    assert "[feed.people]\nheader = false\n" in answer.out
    assert "FIRST RECORDS, READ BY THESE LINES" in answer.out
    assert "2  Bob  2024-02-06" in answer.out
    assert runner.run("--config", "batchd.toml", "dialect", "bad.csv").code == 2, "it is not known for which feed"


def test_a_check_that_is_left_out_is_shown_and_refuses_nothing(folder: Path, runner: BatchctlRunner) -> None:
    (folder / "bad.csv").write_text(NO_HEADER)
    runner.set(BATCH_UNCHECKED="header, quote")
    answer = runner.run("dialect", "bad.csv")
    assert answer.code == 0
    assert (
        "LEFT OUT its first record has a date" in answer.out or "LEFT OUT its first record has a number" in answer.out
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b'a,"b\n1,2\n', b'{"a": 1}\n'])
def test_a_file_that_cannot_be_read_at_all_is_shown_with_its_reason(
    folder: Path, runner: BatchctlRunner, content: bytes
) -> None:
    (folder / "bad.csv").write_bytes(content)
    answer = runner.run("dialect", "bad.csv")
    assert (answer.code, "REFUSED" in answer.out, answer.err) == (1, True, "")


@pytest.mark.parametrize("columns", [50, 80])
def test_it_fits_its_window(folder: Path, columns: int) -> None:
    (folder / "bad.csv").write_text(NO_HEADER)
    code, lines, _ = in_window(columns, "dialect", "bad.csv")
    assert code == 1
    assert max(map(cell_len, lines)) <= columns
    assert any("Ann" in each for each in lines)


def test_try_says_that_a_doubtful_file_would_not_be_taken(folder: Path, runner: BatchctlRunner) -> None:
    (folder / "bad.csv").write_text(NO_HEADER)
    assert "batchd would not take bad.csv: its first record has" in runner.run("try", "bad.csv").err


CONFIGURATION = '[api.a]\nurl = "http://127.0.0.1:9/"\n[feed.people]\ninbox = "in"\n'


@pytest.mark.parametrize(
    ("content", "said", "section"),
    [
        ("id;name\n1;Zo\u00eb\n", "", []),
        (NO_HEADER, "", ["header = false"]),
        ("'id','name'\n'1','Ann, B'\n'2','Bob'\n", "", ['quote = "\'"']),
        ('id,name\n1,"Ann \\"A\\" B"\n2,"Bob \\"B\\", C"\n', "", ['escape = "\\\\"']),
        ("id,name\n1,Ann\\, B\n2,Bob\\, C\n", "", ['escape = "\\\\"']),
        ("id||name\n1||Ann\n2||Bob\n", "", ['delimiter = "||"']),
        ("id^name\n1^Ann\n2^Bob\n", "", ['delimiter = "^"']),
        ("Sales of 2024\n\nid,name,n\n1,Ann,2\n2,Bob,3\n3,Cid,4\n", "", ["skip_lines = 2"]),
        ("Sales of 2024\n7,Ann,2.5\n2,Bob,3.5\n3,Cid,4\n", "", ["header = false", "skip_lines = 1"]),
        ("n;of;\n1;2;x\n2;3;y\n3;4;z\n", "skip_lines = 0\n", []),
        ('id, "name"\n1, "Ann, B"\n2,"Bob, C"\n', "", ["trim = true"]),
        ("x\n#a\n1,2\n1,2\n", 'header = ["a", "b"]\ncomment = "#"\nskip_lines = 1\nquote = ""\nfooter = "T.*"\n', None),
    ],
)
def test_a_file_is_read_by_the_section_that_is_shown_for_it(
    folder: Path,
    runner: BatchctlRunner,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    said: str,
    section: list[str] | None,
) -> None:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)

    def seen(keys: str) -> dict[str, Any]:
        (folder / "batchd.toml").write_text(CONFIGURATION + keys)
        found: dict[str, Any] = runner.run("--config", "batchd.toml", "dialect", "rows.csv", "--json").json()
        return found

    (folder / "rows.csv").write_text(content)
    before = seen(said)
    assert section is None or before["section"] == section
    after = seen("\n".join(before["section"]))
    assert (after["refused"], after["section"]) == (False, before["section"])
    assert after["first_records"] == before["records_by_section"]


def test_without_a_configuration_file_only_what_a_variable_can_say_is_shown(
    folder: Path, runner: BatchctlRunner
) -> None:
    (folder / "bad.csv").write_text("'id','name'\n'1','Ann, B'\n'2','Bob'\n")
    answer = runner.run("dialect", "bad.csv")
    assert 'or set quote = "\'" for its feed' in " ".join(answer.out.split())
    assert "BATCH_UNCHECKED=quote\n" in answer.out
