"""What a command imports before it does anything: Temporal's SDK costs half a second, and most commands need it not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from batchctl_runner import BatchctlRunner

from daemon.batchctl.main import COMMANDS

LOADED = "import sys; from daemon.batchctl.main import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"


def loaded(*arguments: str) -> set[str]:
    """Return the modules that a run of batchctl imports."""
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_no_library_and_no_command(runner: BatchctlRunner, arguments: list[str]) -> None:
    modules = loaded(*arguments)
    commands = {each for each in modules if each.startswith(("daemon.batchctl.commands", "daemon.batchctl.progress"))}
    assert not modules & {"temporalio", "pydantic", "rich", "orjson", "httpx2"} | commands


@pytest.mark.parametrize(
    "arguments",
    [["verify", "/nowhere"], ["export", "--csv", "/nowhere"], ["explain", "x"], ["list", "--all"], ["status", "users"]],
)
def test_a_command_that_does_not_ask_temporal_does_not_load_its_sdk(
    runner: BatchctlRunner, arguments: list[str]
) -> None:
    runner.completed()
    assert not loaded(*arguments) & {"temporalio", "rich.console", "rich.progress"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_no_command_loads_the_sdk(runner: BatchctlRunner, name: str) -> None:
    assert not loaded(name, "--help") & {"temporalio", "rich.console"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_declared_by_the_function_that_the_table_names(runner: BatchctlRunner, name: str) -> None:
    answer = runner.run(name, "--help")
    assert (answer.code, f"usage: batchctl {name}" in answer.out) == (0, True)
