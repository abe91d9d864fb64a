"""The locks of the service and of its wheel hold what each needs, exactly as it was tested, and nothing else."""

from __future__ import annotations

import re
import tomllib

import pytest
from repository import ROOT

LOCKS = ("requirements.lock", "runtime.lock", "build.lock")


def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version (with its marker) and hashes of each package."""
    blocks = re.split(r"^(?=[a-zA-Z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)
    packages = {}
    for block in blocks[1:]:
        package, version = block.splitlines()[0].rstrip(" \\").split("==", 1)
        packages[package] = (version, frozenset(re.findall(r"--hash=(\S+)", block)))
    return packages


def needed(key: str) -> set[str]:
    """Return the names of the packages that `pyproject.toml` asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "service": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["embedded"],
        "build": project["dependency-groups"]["build"],
        "dev": [each for each in project["dependency-groups"]["dev"] if isinstance(each, str)],
    }[key]
    return {re.split(r"[^a-zA-Z0-9-]", each, maxsplit=1)[0] for each in asked}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes_and_without_an_address(name: str) -> None:
    assert [package for package, (_, hashes) in locked(name).items() if not hashes] == []
    assert "://" not in (ROOT / name).read_text()
    assert "--index" not in (ROOT / name).read_text()
    assert "--find-links" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", ["runtime.lock", "build.lock"])
def test_the_service_runs_and_is_built_with_what_was_tested(name: str) -> None:
    tested = locked("requirements.lock")
    for package, (version, hashes) in locked(name).items():
        # A marker may name fewer systems than that of the lock for work, where more packages ask for it.
        assert tested[package][0].partition(" ")[0] == version.partition(" ")[0], package
        assert tested[package][1] >= hashes, package


def test_the_lock_of_the_service_holds_all_it_needs_and_nothing_that_builds_or_tests_it() -> None:
    service = set(locked("runtime.lock"))
    assert needed("service") <= service
    assert not service & (needed("dev") | needed("build"))
    assert needed("build") <= set(locked("build.lock"))
    assert {"pytest", "ruff", "mypy", "aiohttp"} <= needed("dev")


def test_the_image_and_the_host_are_installed_from_the_lock_of_the_service() -> None:
    containerfile, installer = ROOT / "deploy/container/Containerfile", ROOT / "batchd/host/program.py"
    assert "--require-hashes --requirement runtime.lock" in containerfile.read_text()
    assert '"--require-hashes", "--requirement", given' in installer.read_text()
    assert not any("requirements.lock" in path.read_text() for path in (containerfile, installer))


def test_the_image_and_the_host_get_a_wheel_that_locked_packages_build() -> None:
    for path in (ROOT / "deploy" / "container" / "Containerfile", ROOT / "Makefile"):
        assert "--require-hashes --requirement build.lock" in path.read_text()
