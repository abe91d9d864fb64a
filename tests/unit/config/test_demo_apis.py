"""The sections of `make demo-apis`, which the README shows, are right and fit their files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from repository import ROOT

from activities.source.source_file import SourceFile
from daemon.config.configuration import load_configuration
from daemon.config.feed_settings import check_used_columns

APIS = sorted((ROOT / "dummy-data" / "apis").glob("*.toml"))


@pytest.mark.parametrize("path", APIS, ids=lambda path: path.stem)
def test_each_section_of_the_demo_loads_and_its_file_has_the_columns_it_needs(path: Path) -> None:
    settings = next(iter(load_configuration(path, {}).settings_by_feed().values()))
    with SourceFile.open(path.with_suffix(".csv"), settings.shape().csv) as source:
        check_used_columns(source.dialect.columns, settings)


def test_the_section_in_the_readme_is_that_of_the_demo() -> None:
    [shown] = re.findall(r"```toml\n(\[api\.people\].*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    section = next(each for each in APIS if each.stem == "people").read_text().partition("\n")[2]
    assert shown == section.replace("settle_s = 0.5\n", "")
