"""The wheel with all it needs from the package index, beside the projects whose packages are named like ours.

`make test-wheel` runs these: they download some 150 MB, or take it from pip's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation
from wheels import built, check_that_it_works, made_venv, pip, run, site_packages

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(560)]

Make = Callable[..., Installation]
OTHERS = ("python-daemon", "llama-index-workflows")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The wheel with its extra, as pip is asked for it."""
    return f"{built('wheel', tmp_path_factory.mktemp('wheel'))}[embedded]"


@pytest.mark.parametrize("we_come", ["first", "last"])
def test_service_and_the_others_work_whoever_was_installed_first(
    installation: Make, ours: str, we_come: str, tmp_path: Path
) -> None:
    programs = made_venv(tmp_path / "venv")
    for each in ([ours], OTHERS) if we_come == "first" else (OTHERS, [ours]):
        pip("install", *each, into=programs)

    check_that_it_works(installation(PATH="/usr/bin:/bin"), programs)

    code = "from daemon import DaemonContext; from workflows import Workflow; import daemon, workflows"
    found = run(programs / "python", "-c", f"{code}; print(daemon.__file__, workflows.__file__)", cwd=tmp_path).split()
    assert found == [str(site_packages(programs) / name / "__init__.py") for name in ("daemon", "workflows")]
    pip("check", into=programs)


def test_uninstalling_ours_leaves_the_others_and_nothing_of_ours(ours: str, tmp_path: Path) -> None:
    programs = made_venv(tmp_path / "venv")
    pip("install", *OTHERS, into=programs)
    pip("install", "--no-deps", ours, into=programs)
    pip("uninstall", "--yes", "batchd", into=programs)
    assert list(site_packages(programs).glob("batchd*")) == list(programs.glob("batch*")) == []
    code = "from daemon import DaemonContext; from workflows import Workflow"
    run(programs / "python", "-c", code, cwd=tmp_path)
