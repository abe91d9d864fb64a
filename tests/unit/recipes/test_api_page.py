"""What docs/api.md gives to paste is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.config.configuration import load_configuration

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
SECTIONS = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RULES = re.findall(r"(\{ (?:when|status) = [^\n]*?, then = \"[a-z_]+\" \})`", PAGE)
CONDITIONS = re.findall(r'`(when = "(?:[^"\\\n]|\\.)*")`', PAGE)


def installed(folder: Path, text: str) -> Path:
    """Write a file with a feed, and the secret that it names."""
    (folder / "secrets").mkdir()
    (folder / "secrets/people").write_text("hunter2\n")
    file = folder / "batchd.toml"
    file.write_text(f'{text}\n[feed.contacts]\ninbox = "inbox"\n')
    return file


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_of_the_page_passes_the_check(section: str, tmp_path: Path) -> None:
    assert load_configuration(installed(tmp_path, section), {}).apis


def test_the_rules_of_the_page_pass_the_check(tmp_path: Path) -> None:
    rules = [*RULES, *(f'{{ {each}, then = "retry" }}' for each in CONDITIONS)]
    assert len(rules) == 3
    section = f'[api.x]\nurl = "https://h/"\n[api.x.answer]\nrules = [{", ".join(rules)}]'
    assert len(load_configuration(installed(tmp_path, section), {}).apis["x"].answer.rules) == len(rules)
