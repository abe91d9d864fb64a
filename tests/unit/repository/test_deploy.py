"""The files that install batchd say what is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from batchd.host.units import UNITS, for_systemd, systemd_version
from daemon.config.settings import PREFIX, Settings

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "batchd.service"
BIN = Path(sys.executable).parent
SYSTEMD = pytest.mark.system_tool("systemd-analyze", package="systemd")


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as the systemd of this host gets it, with this installation's batchd, since the program is looked for."""
    name = str(request.param)
    text = for_systemd((DEPLOY / "systemd" / name).read_text(), systemd_version())
    copy = tmp_path / name.replace("@", "@1")
    copy.write_text(text.replace("/opt/batchd/current/bin/batchd", str(BIN / "batchd")))
    return copy


@SYSTEMD
def test_the_unit_is_clean(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)  # noqa: S607
    assert (done.returncode, done.stderr) == (0, "")


@SYSTEMD
def test_the_unit_is_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_systemd_waits_longer_than_batchd_takes_to_stop() -> None:
    stop_s = int(re.findall(r"^TimeoutStopSec=(\d+)", UNIT.read_text(), re.MULTILINE)[0])
    assert stop_s > Settings.model_fields["stop_timeout_s"].get_default() + 10


def test_every_setting_that_is_named_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for path in [each for each in DEPLOY.rglob("*") if each.is_file() and "inbox" not in each.parts]:
        named = set(re.findall(r"\bBATCH_[A-Z_]+", path.read_text()))
        assert named <= known, path


def test_the_image_is_made_of_files_that_exist() -> None:
    root = DEPLOY.parent
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "container" / "Containerfile").read_text(), re.MULTILINE
    )
    for name in " ".join(copied).split():
        assert (root / name).exists(), name


def test_the_containerfile_is_clean() -> None:
    done = subprocess.run([BIN / "hadolint", DEPLOY / "container" / "Containerfile"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_the_image_is_run_by_a_number_and_on_a_base_of_ones_choice() -> None:
    text = (DEPLOY / "container" / "Containerfile").read_text()
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
