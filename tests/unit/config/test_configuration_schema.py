"""The published schema and the published example say what the configuration does."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from configuration_page import configuration_page
from jsonschema import Draft202012Validator
from repository import ROOT

from daemon.config.check import checked
from daemon.config.file import read_file
from daemon.config.findings import WrongConfiguration
from daemon.config.sections.service_section import SERVICE_SETTINGS
from daemon.config.settings import Settings

EXAMPLE = ROOT / "docs" / "batchd.example.toml"
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "batchd.schema.json").read_text()))


def accepted(path: Path) -> bool:
    try:
        checked(read_file(path), {}, files=False)
    except WrongConfiguration:
        return False
    return True


def test_the_example_of_the_documentation_is_accepted_by_the_service_and_by_editors() -> None:
    assert accepted(EXAMPLE)
    assert list(SCHEMA.iter_errors(tomllib.loads(EXAMPLE.read_text()))) == []
    assert EXAMPLE.read_text() in configuration_page()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("[service]", "[servce]"),
        ("[api.people]", "[api.People]"),
        ('method = "GET"', 'methd = "GET"'),
        ('method = "GET"', 'method = "GTE"'),
        ('{ file = "/run/credentials/people" }', '{ file = "/x", env = "X" }'),
        ("timeout_s = 10", 'timeout_s = "10"'),
        ("timeout_s = 10", "timeout_s = 0"),
        ('"10/s"', '"10/second"'),
        ('max_wait = "24h"', "max_wait = 24"),
        ('then = "not_found"', 'then = "notfound"'),
        ("settle_s = 2", "settle = 2"),
        ('inbox = "inbox/contacts"', ""),
    ],
)
def test_an_editor_and_the_service_refuse_the_same(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in EXAMPLE.read_text()
    path = tmp_path / "batchd.toml"
    path.write_text(EXAMPLE.read_text().replace(right, wrong))
    assert not accepted(path)
    assert not SCHEMA.is_valid(tomllib.loads(path.read_text()))


def test_every_key_of_the_file_is_described_in_the_schema_and_on_the_page() -> None:
    parts: dict[str, Any] = dict(SCHEMA.schema)["$defs"]
    page = configuration_page()
    for section, part in parts.items():
        for key, value in part["properties"].items():
            assert value.keys() & {"description", "$ref"}, (section, key)
            assert f"\n| `{key}` | " in page, (section, key)


def test_every_setting_has_one_place_in_the_file() -> None:
    parts: dict[str, Any] = dict(SCHEMA.schema)["$defs"]
    api = {f"api_{key}" for key in parts["ApiSection"]["properties"]}
    elsewhere = {"api_bulk_url", "api_bulk_size", "api_token", "api_token_file"}
    known = set(SERVICE_SETTINGS) | set(parts["FeedSection"]["properties"]) | api | elsewhere
    assert set(Settings.model_fields) <= known
