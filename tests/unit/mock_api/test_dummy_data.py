"""The data of the demo and its generator."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

from repository import ROOT

FOLDER = ROOT / "dummy-data"


def generated(*arguments: str) -> str:
    command = [sys.executable, str(FOLDER / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def test_the_committed_users_are_those_the_generator_makes() -> None:
    assert (FOLDER / "users.csv").read_text() == generated()


def test_there_are_a_thousand_users_with_the_documented_columns_and_some_live_in_the_us() -> None:
    table = list(csv.DictReader((FOLDER / "users.csv").read_text().splitlines()))
    assert len(table) == 1_000
    assert list(table[0]) == ["id", "first_name", "last_name", "email", "gender", "ip_address", "country"]
    assert 300 < sum(row["country"] == "US" for row in table) < 500


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert generated("--rows", "50", "--seed", "1") == generated("--rows", "50", "--seed", "1")
    assert generated("--rows", "50", "--seed", "1") != generated("--rows", "50", "--seed", "2")


def test_nasty_users_have_line_breaks_and_quotes_inside_their_fields() -> None:
    text = generated("--rows", "200", "--nasty")
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert len(table) == 201
    assert {len(row) for row in table} == {7}
    assert any("\n" in field for row in table for field in row)
