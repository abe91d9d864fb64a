"""The suite needs Python, make, sh and coreutils; a test that needs more says so by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import TESTS

ASKS_FOR_MORE = """
import pytest
from system_tools import check_tools

@pytest.mark.system_tool("no-such-program", package="no-such-package")
def test_of_a_program():
    raise AssertionError("never run")
"""


@pytest.mark.parametrize(
    ("required", "code", "outcome"), [("0", 0, "1 skipped"), ("1", 1, "1 error")], ids=["elsewhere", "in-ci"]
)
def test_a_test_without_its_program_is_skipped_by_name_and_fails_where_all_are_required(
    tmp_path: Path, required: str, code: int, outcome: str
) -> None:
    (tmp_path / "conftest.py").write_text("from system_tools import check_tools as pytest_runtest_setup\n")
    (tmp_path / "test_program.py").write_text(ASKS_FOR_MORE)
    config = TESTS.parent / "pyproject.toml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(config), "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, str(tmp_path / "test_program.py")],
        env={**os.environ, "PYTHONPATH": str(TESTS / "support"), "REQUIRE_SYSTEM_TOOLS": required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, outcome in done.stdout) == (code, True), done.stdout
    assert "there is no no-such-program on this machine; Debian's package no-such-package brings it" in done.stdout


def test_ci_brings_every_program_that_a_test_asks_for_and_requires_them() -> None:
    script = (TESTS.parent / ".ci" / "run").read_text()
    assert "export REQUIRE_SYSTEM_TOOLS=1" in script
    for program in ("systemd-analyze", "openssl"):
        assert program in script
