"""The pictures of terminals are whole by themselves, are shown somewhere, and name nobody's machine."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from repository import ROOT

PICTURES = sorted((ROOT / "docs" / "img").glob("terminal-*.svg"))
PAGES = [ROOT / "README.md", ROOT / "docs" / "batchctl.md"]


def test_there_is_one_of_each_command_and_two_in_the_readme() -> None:
    assert {each.stem for each in PICTURES} == {
        f"terminal-{each}" for each in ("run", "list", "watch", "status", "doctor")
    }
    assert PAGES[0].read_text().count("(docs/img/terminal-") == 2


@pytest.mark.parametrize("picture", PICTURES, ids=lambda each: each.stem)
def test_a_picture_loads_nothing_and_shows_a_site_that_is_nobodys(picture: Path) -> None:
    drawn = picture.read_text()
    ET.fromstring(drawn)  # noqa: S314 - our own
    assert any(f"img/{picture.name})" in each.read_text() for each in PAGES)
    assert "url(http" not in drawn
    assert "@font-face" not in drawn
    assert not re.search(r"/work|/root|/home", drawn)
    assert "batchctl" in drawn or "batchd" in drawn
