"""`batchctl schema`: a schema on standard output that fits the file, and what it was made from beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from described_feeds import DescribedFeeds

from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import parse_schema

TABLE = "id,mail,born,error\n1,a@example.org,1999-12-31,x\n2,b@example.org,,y\n"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(TABLE)
    return file


def test_it_prints_a_schema_that_loads_back_and_fits_the_rows(people: Path, runner: BatchctlRunner) -> None:
    answer = runner.run("schema", str(people))
    assert (answer.code, answer.err) == (0, "batchctl: types of 4 columns by all of its rows (2)\n")
    columns = ["id", "mail", "born", "error__2"]
    checker = RowChecker.compile(parse_schema(answer.out), columns, null=None, decimal=".")
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    assert [checker.fault(row) for row in rows] == [None, None]
    assert checker.typed(rows[1]) == {"id": 2, "mail": "b@example.org", "born": None, "error__2": "y"}


def test_it_says_how_many_rows_it_looked_at(people: Path, runner: BatchctlRunner) -> None:
    people.write_text("n\n" + "1\n" * 2_500 + "x\n")
    answer = runner.run("schema", str(people), "--rows", "2500")
    assert answer.json()["fields"] == [{"name": "n", "type": "integer"}]
    assert "types of 1 column by the first 2,500 rows\n" in answer.err
    answer = runner.run("schema", str(people), "--rows", "0")
    assert answer.json()["fields"] == [{"name": "n", "type": "string"}]
    assert "by all of its rows (2,501)" in answer.err


def test_it_says_what_is_doubtful_and_which_records_are_no_rows(people: Path, runner: BatchctlRunner) -> None:
    people.write_text("a,b\n01/02/2024,1\n1,2,3\n03/04/2024,2\n")
    answer = runner.run("schema", str(people))
    assert answer.json()["fields"] == [{"name": "a", "type": "string"}, {"name": "b", "type": "integer"}]
    assert "batchctl: a: dates, day or month first" in answer.err
    assert "by all of its rows (2); 1 record among them that no row could be made of" in answer.err


def test_a_file_that_batchd_would_not_take_is_said_to_be_one(people: Path, runner: BatchctlRunner) -> None:
    people.write_text("1,Ann,2024-01-05\n2,Bob,2024-02-06\n3,Cid,2024-03-07\n")
    assert "batchd would not take people.csv: its first record" in runner.run("schema", str(people)).err


def test_the_file_is_read_as_its_feed_reads_it(people: Path, feeds: DescribedFeeds, runner: BatchctlRunner) -> None:
    assert runner.run("schema", str(people)).code == 2, "it is not known for which of the feeds"
    assert runner.run("schema", str(people), "--feed", "leads").code == 0


@pytest.mark.parametrize("rows", ["-1", "many"])
def test_a_number_of_rows_that_is_none_is_a_mistake_of_usage(people: Path, runner: BatchctlRunner, rows: str) -> None:
    answer = runner.run("schema", str(people), "--rows", rows)
    assert answer.code == 2
    assert "whole number of rows" in answer.err
