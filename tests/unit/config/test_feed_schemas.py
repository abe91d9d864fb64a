"""The schema of a feed is checked where it stands, and pinned with the terms of each batch."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from daemon.config.changes import Changes
from daemon.config.configuration import Configuration, load_configuration
from daemon.config.feed_settings import check_used_columns
from daemon.config.findings import Finding, WrongConfiguration
from workflows.errors import InvalidCsv, SettingsError

BASE = '[api.people]\nurl = "https://api.example.com{{?{columns}}}"\n[feed.contacts]\ninbox = "inbox"\n'
SCHEMA = {"fields": [{"name": "id", "type": "integer"}, {"name": "age", "type": "number"}]}


def configured(tmp_path: Path, keys: str, *, columns: str = "id", files: bool = True) -> Configuration:
    path = tmp_path / "batchd.toml"
    path.write_text(BASE.format(columns=columns) + keys)
    return load_configuration(path, {}, files=files)


def findings(tmp_path: Path, keys: str) -> list[Finding]:
    try:
        configured(tmp_path, keys)
    except WrongConfiguration as wrong:
        return list(wrong.findings)
    return []


def in_file(tmp_path: Path, schema: Any) -> str:
    (tmp_path / "contacts.json").write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return 'schema = "contacts.json"\n'


def test_every_finding_of_an_inline_schema_stands_on_its_line(tmp_path: Path) -> None:
    text = (
        "[feed.contacts.schema]\n"
        "[[feed.contacts.schema.fields]]\n"
        'name = "id"\ntype = "intger"\n'
        "[[feed.contacts.schema.fields]]\n"
        'name = "age"\ntype = "integer"\nconstraints = { minimum = "old" }\n'
    )
    found = [(each.line, each.key) for each in findings(tmp_path, text)]
    assert found == [
        (8, "feed.contacts.schema.fields[0].type"),
        (12, "feed.contacts.schema.fields[1].constraints.minimum"),
    ]


def test_every_finding_of_a_schema_in_a_file_names_the_file_and_the_place_in_it(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "id", "type": "intger"}, {"name": "age", "constraints": {"minLength": "x"}}]}
    found = findings(tmp_path, in_file(tmp_path, schema))
    assert [(each.line, each.key) for each in found] == [(5, "feed.contacts.schema")] * 2
    assert [each.what.partition(": ")[2].partition(": ")[0] for each in found] == [
        "fields[0].type",
        "fields[1].constraints.minLength",
    ]
    assert all(each.what.startswith("contacts.json: ") for each in found)


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("{", "contacts.json"),
        ("\xff", "fields|JSON|UTF-8"),
        (
            json.dumps({"fields": [{"name": f"column {at} {'x' * 30}"} for at in range(1_000)]}),
            "more than 32,768 bytes",
        ),
        (" " * 1_048_577, "longer than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_schema_is_refused(tmp_path: Path, schema: str, what: str) -> None:
    (finding,) = findings(tmp_path, in_file(tmp_path, schema))
    assert finding.key == "feed.contacts.schema"
    assert re.search(what, finding.what), finding


def test_a_decimal_separator_that_the_schema_contradicts_is_refused(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "paid", "type": "number", "groupChar": ","}]}
    assert findings(tmp_path, in_file(tmp_path, schema)) == []
    (finding,) = findings(tmp_path, in_file(tmp_path, schema) + 'decimal = ","\n')
    assert finding.key == "feed.contacts.schema"


def test_a_bound_is_written_with_the_decimal_separator_of_the_feed(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "paid", "type": "number", "constraints": {"minimum": "1,5"}}]}
    keys = in_file(tmp_path, schema) + 'decimal = ","\n'
    assert findings(tmp_path, keys) == []
    assert "1,5" in configured(tmp_path, keys).settings_of("contacts").terms().schema


def test_the_schema_is_pinned_with_the_terms_and_its_hash_with_the_options(tmp_path: Path) -> None:
    keys = in_file(tmp_path, SCHEMA) + 'null = "NA"\ndecimal = ","\n'
    terms = configured(tmp_path, keys).settings_of("contacts").terms()
    csv = terms.shape.csv
    assert json.loads(terms.schema)["fields"][0] == {"name": "id", "type": "integer"}
    assert csv.schema_sha256 == sha256(terms.schema.encode()).hexdigest()
    assert (csv.null, csv.decimal) == ("NA", ",")


def test_a_feed_without_a_schema_has_none_in_its_terms(tmp_path: Path) -> None:
    terms = configured(tmp_path, "").settings_of("contacts").terms()
    assert (terms.schema, terms.shape.csv.schema_sha256) == ("", "")


def test_another_content_of_the_schema_file_is_another_configuration_and_a_change_of_the_feed(tmp_path: Path) -> None:
    old = configured(tmp_path, in_file(tmp_path, SCHEMA))
    same = configured(tmp_path, in_file(tmp_path, {**SCHEMA, "title": "only described"}))
    new = configured(tmp_path, in_file(tmp_path, {**SCHEMA, "primaryKey": "id"}))
    assert old.config_sha256 == same.config_sha256 != new.config_sha256
    assert not Changes.between(old, same).feeds.changed
    assert Changes.between(old, new).feeds.changed == ("contacts",)


def test_without_files_a_schema_that_is_gone_stops_only_who_needs_it(tmp_path: Path) -> None:
    settings = configured(tmp_path, 'schema = "gone.json"\n', files=False).settings_of("contacts")
    with pytest.raises(SettingsError, match=r"feed\.contacts\.schema: it cannot be read or used"):
        settings.terms()


def test_a_header_that_lacks_columns_of_the_schema_is_refused_and_all_are_named(tmp_path: Path) -> None:
    settings = configured(tmp_path, in_file(tmp_path, SCHEMA)).settings_of("contacts")
    with pytest.raises(InvalidCsv, match=r"lacks the column\(s\) id, age"):
        check_used_columns(("name", "mail"), settings)


def test_a_request_may_use_the_name_of_a_field_whose_column_is_called_otherwise(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "id", "aliases": ["Customer No."]}]}
    settings = configured(tmp_path, in_file(tmp_path, schema)).settings_of("contacts")
    check_used_columns(("Customer No.",), settings)
    plain = configured(tmp_path, "").settings_of("contacts")
    with pytest.raises(InvalidCsv, match="lacks the column"):
        check_used_columns(("Customer No.",), plain)
