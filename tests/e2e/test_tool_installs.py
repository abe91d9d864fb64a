"""The lines of the README that install batchd for a user, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation
from repository import ROOT
from wheels import check_that_it_works, made_venv, pip, run

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(560)]

Make = Callable[..., Installation]
LINES = re.findall(r"^\$ ((?:pipx|uv tool) install .+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
PROGRAMS = {"batchd", "batchctl", "batchd-mock-api", "batchd-checker", "batchd-host"}


@pytest.fixture(scope="module")
def installers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    programs = made_venv(tmp_path_factory.mktemp("installers") / "venv")
    pip("install", "pipx", "uv", into=programs)
    return programs


@pytest.mark.parametrize("line", LINES, ids=[each.split()[0] for each in LINES])
def test_each_line_of_the_readme_installs_what_works(
    installation: Make, installers: Path, line: str, tmp_path: Path
) -> None:
    assert len(LINES) == 2
    tools, programs = tmp_path / "tools", tmp_path / "bin"
    given = {"PIPX_HOME": tools, "PIPX_BIN_DIR": programs, "UV_TOOL_DIR": tools, "UV_TOOL_BIN_DIR": programs}
    settings = [f"{name}={value}" for name, value in given.items()]
    run("/usr/bin/env", *settings, "sh", "-c", f'PATH="{installers}:$PATH"; {line}', cwd=ROOT)
    assert {each.name for each in programs.iterdir()} == PROGRAMS

    check_that_it_works(installation(PATH="/usr/bin:/bin"), programs)
