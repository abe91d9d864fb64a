"""The man pages have everything that the programs say of themselves, in a form that man reads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from daemon.batchctl.main import COMMANDS
from daemon.config.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages") / "man"
    subprocess.run([sys.executable, ROOT / "docs" / "man_pages.py", made], cwd=ROOT, check=True)
    return made


def test_every_program_has_a_page(folder: Path) -> None:
    pages = {each.name.rpartition(".")[0] for each in folder.iterdir() if not each.match("*.5")}
    scripts = re.findall(r'^(batch[a-z-]+) = "batchd\.', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert pages == set(scripts) >= {"batchd", "batchctl"}


def test_every_command_is_there_with_its_arguments_also_those_that_are_declared_late(folder: Path) -> None:
    page = (folder / "batchctl.1").read_text().replace("\\-", "-")
    assert set(re.findall(r"^\.SS batchctl (\S+)$", page, re.MULTILINE)) == set(COMMANDS)
    assert "\\fB--source FILE\\fR" in page.partition(".SS batchctl verify")[2].partition(".SS ")[0]
    assert ".SS batchctl config check\n" in page


def test_every_setting_is_there(folder: Path) -> None:
    page = (folder / "batchd.env.5").read_text()
    assert re.findall(r"^\\fBBATCH_(\w+)\\fR$", page, re.MULTILINE) == [each.upper() for each in Settings.model_fields]


@pytest.mark.system_tool("groff", package="groff")
def test_man_has_nothing_to_say_against_them(folder: Path) -> None:
    for page in folder.iterdir():
        command = ["groff", "-man", "-ww", "-Tutf8", "-z", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == "", page.name
