"""`batchctl dialect` says how the first records fit the schema of the feed, and never what a cell says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from batchctl_runner import Answer, BatchctlRunner

SCHEMA = {"fields": [{"name": "id", "type": "integer"}, {"name": "age", "type": "integer"}]}
Dialect = Callable[..., Answer]


@pytest.fixture
def dialect(runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dialect:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "batchd.toml").write_text(
        '[api.people]\nurl = "http://127.0.0.1:1/"\n[feed.people]\ninbox = "inbox"\nschema = "people.json"\n'
    )

    def run(text: str, *arguments: str) -> Answer:
        (tmp_path / "people.csv").write_text(text)
        return runner.run("dialect", "people.csv", *arguments)

    return run


def test_records_that_break_the_schema_are_counted_by_column_and_rule(dialect: Dialect) -> None:
    text = "id,name,age\n1,Ann,canary\n2,Bob,3\nx,Cid,4\n4,Dan,much\n"
    answer = dialect(text, "--json")
    assert answer.code == 0
    assert answer.json()["schema"] == {
        "records": 4,
        "broken": [
            {"column": "age", "rule": "type", "records": 2},
            {"column": "id", "rule": "type", "records": 1},
        ],
        "refused": None,
    }
    shown = " ".join(dialect(text).out.split())
    assert "schema of the first 4 records 3 break it: age (type) 2, id (type) 1" in shown
    assert "canary" not in shown.partition("schema of the first")[2].partition("FIRST RECORDS")[0]


def test_a_file_that_fits_is_said_to(dialect: Dialect) -> None:
    assert "all of the first 2 records fit it" in dialect("id,name,age\n1,Ann,7\n2,Bob,3\n").out


def test_a_header_that_lacks_columns_of_the_schema_is_a_refusal(dialect: Dialect) -> None:
    answer = dialect("id,name\n1,Ann\n2,Bob\n")
    assert answer.code == 1
    assert "REFUSED" in answer.out
    assert "lacks the column(s) age" in " ".join(answer.out.split())
