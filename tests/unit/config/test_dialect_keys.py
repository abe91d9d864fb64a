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


def test_every_key_travels_with_the_batch(tmp_path: Path) -> None:
    found = options(
        tmp_path,
        'header = ["id", "name"]\nskip_lines = 2\ncomment = "#"\ntrim = true\nbare_quotes = "reject"\n'
        'short_rows = "pad"\nfooter = "Total.*"\n',
    )
    assert found == CsvOptions(
        has_header=False,
        column_names=("id", "name"),
        skip_lines=2,
        comment="#",
        trim=True,
        bare_quotes="reject",
        short_rows="pad",
        footer="Total.*",
    )
    assert not options(tmp_path, "header = false\n").has_header


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ('header = ["a", "b", "a"]\n', "5 feed.people.header: has the name a more than once"),
        ('header = ["a", ""]\n', "5 feed.people.header: has a column without a name"),
        ("header = []\n", "5 feed.people.header: has a column without a name"),
        ('header = ["error"]\n', "5 feed.people.header: has the name error, which rows have for themselves"),
        ('header = ["a"]\nrequired_columns = ["b"]\n', "5 feed.people.header: lacks the required column b"),
        ('footer = "("\n', "5 feed.people.footer: is no regular expression: missing ), unterminated subpattern"),
        ("comment = '\"#'\n", "5 feed.people.comment: begins with the quote"),
        ('comment = "#"\ndelimiter = "##"\n', "5 feed.people.comment: begins as what separates fields"),
        ('comment = ";"\n', "5 feed.people.comment: begins as what separates fields"),
        ('comment = "\\n"\n', "5 feed.people.comment: has a line end in it"),
        ('trim = true\ndelimiter = ", "\n', "6 feed.people.delimiter: begins or ends with a space or a tab"),
        (
            'bare_quotes = "reject"\nquote = ""\n',
            '5 feed.people.bare_quotes: is "reject" where no character is a quote',
        ),
    ],
)
def test_what_contradicts_itself_is_refused_at_its_key(tmp_path: Path, keys: str, found: str) -> None:
    (only,) = mistakes(tmp_path, keys)
    assert only.startswith(found)
