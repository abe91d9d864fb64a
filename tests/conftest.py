"""Fixtures: installations of batchd, and one Temporal server for the tests that need no whole installation."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from installation import Installation, temporal_server
from intake_site import MakeSite, Site
from system_tools import check_tools

pytest_plugins = ("cpu_cost",)


def pytest_configure() -> None:
    """Give the programs that tests start the same surroundings, whatever those of the tests are.

    Modules are compiled once, not at each start of each program. An interrupt ends them, also where tests run in the
    background of a shell, which leaves interrupts out.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hold a test against the programs it asks for."""
    check_tools(item)


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Temporal server that lasts for the session."""
    with temporal_server(tmp_path_factory.mktemp("temporal")) as address:
        yield address


def _installations(root: Path) -> Iterator[Callable[..., Installation]]:
    made: list[Installation] = []

    def make(name: str = "site", **settings: str) -> Installation:
        each = Installation(root / name, **settings)
        made.append(each)
        return each

    yield make
    for each in made:
        each.close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Make installations, each with its own embedded server; stop what they started at the end."""
    yield from _installations(tmp_path)


@pytest.fixture(scope="module")
def lasting_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Installation]]:
    """As `installation`, for what the tests of one file share: a start takes five seconds of processor time."""
    yield from _installations(tmp_path_factory.mktemp("lasting"))


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> BatchctlRunner:
    """A batchctl with folders of its own, and no Temporal server."""
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    made = BatchctlRunner(tmp_path, monkeypatch, capsys)
    made.give_up_soon()
    return made


@pytest.fixture
async def make_site(tmp_path: Path) -> AsyncIterator[MakeSite]:
    """Make inboxes with an intake and a fake Temporal; end their background work at the end."""
    made: list[Site] = []

    def make(name: str = "site", **settings: Any) -> Site:
        made.append(Site(tmp_path / name, **settings))
        return made[-1]

    yield make
    for each in made:
        await each.close()
