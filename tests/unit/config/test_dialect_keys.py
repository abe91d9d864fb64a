"""The keys of a feed that say how its files are written: what they may be, and what contradicts what."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config.configuration import load_configuration
from daemon.config.findings import WrongConfiguration
from workflows.models import CsvOptions

FEED = '[api.a]\nurl = "http://127.0.0.1:9/"\n[feed.people]\ninbox = "in"\n'


def options(folder: Path, keys: str, before: str = "") -> CsvOptions:
    path = folder / "batchd.toml"
    path.write_text(before + FEED + keys)
    return load_configuration(path, {}).settings_of("people").shape().csv


def mistakes(folder: Path, keys: str, before: str = "") -> list[str]:
    with pytest.raises(WrongConfiguration) as wrong:
        options(folder, keys, before)
    return [f"{each.line} {each.key}: {each.what}" for each in wrong.value.findings]


@pytest.mark.parametrize("delimiter", ["auto", "tab", ";", "||", "::", "§", " ", "\x01", "||||||||"])
def test_a_delimiter_is_up_to_eight_characters(tmp_path: Path, delimiter: str) -> None:
    written = delimiter.replace("\x01", "\\u0001")
    assert options(tmp_path, f'delimiter = "{written}"').delimiter == delimiter


@pytest.mark.parametrize("delimiter", ["", "comma", "|||||||||", "\\n", "x", "\\u0000"])
def test_what_cannot_separate_fields_is_refused(tmp_path: Path, delimiter: str) -> None:
    (found,) = mistakes(tmp_path, f'delimiter = "{delimiter}"')
    assert found.startswith("5 feed.people.delimiter: must ")


def test_quote_and_escape_travel_with_the_batch(tmp_path: Path) -> None:
    found = options(tmp_path, "quote = \"'\"\nescape = '\\'\n")
    assert (found.quote, found.escape) == ("'", "\\")
    assert options(tmp_path, "") == CsvOptions()
    assert options(tmp_path, "", '[defaults]\nquote = ""\n').quote == ""


@pytest.mark.parametrize("keys", ['quote = "x"\n', 'quote = "\\"\\""\n', 'escape = "/"\n', "quote = 1\n"])
def test_no_other_quote_and_escape_are_taken(tmp_path: Path, keys: str) -> None:
    assert len(mistakes(tmp_path, keys)) == 1


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ('delimiter = "\'"\nquote = "\'"\n', "5 feed.people.delimiter: has the quote in it"),
        ('delimiter = "|\\""\n', "5 feed.people.delimiter: has the quote in it"),
        ("delimiter = '|\\'\nescape = '\\'\n", "5 feed.people.delimiter: has the escape character in it"),
    ],
)
def test_no_mark_means_two_things(tmp_path: Path, keys: str, found: str) -> None:
    assert mistakes(tmp_path, keys) == [found]


def test_a_contradiction_stands_where_its_key_does(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "", '[defaults]\nquote = "\'"\ndelimiter = "\'"\n')
    assert found == ["3 defaults.delimiter: has the quote in it"]
