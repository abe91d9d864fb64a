"""The help of every command has examples, and each can be typed as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from installation import BIN

from activities.disk.failpoint_places import PLACES
from daemon.batchctl.examples import EXAMPLES, examples_of
from daemon.batchctl.main import COMMANDS, build_parser
from daemon.command import build_parser as batchd_parser

LINES = [(command, line) for command, examples in EXAMPLES.items() for line, _ in examples]


def shown(*words: str) -> str:
    return subprocess.run([BIN / words[0], *words[1:], "--help"], capture_output=True, text=True, check=True).stdout


def test_every_command_has_examples() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys() | {"config check", "config show"}


@pytest.mark.parametrize("command", ["list", "resume", "completion", "config", "config show"])
def test_the_help_ends_with_them_as_they_are_to_be_typed(command: str) -> None:
    said = shown("batchctl", *command.split())
    assert said.rstrip().endswith(examples_of(command))
    assert max(len(line) for line in examples_of(command).splitlines() if "completions" not in line) <= 80


@pytest.mark.parametrize(("command", "line"), LINES)
def test_an_example_is_of_its_command_and_is_accepted(command: str, line: str) -> None:
    words = shlex.split(re.split(r" > | && ", line)[0])
    assert words[: 1 + len(command.split())] == ["batchctl", *command.split()]
    assert build_parser().parse_args(words[1:]).command == command.split(maxsplit=1)[0]


@pytest.mark.parametrize("command", ["run", "watch", "work", "failpoints"])
def test_the_commands_of_the_service_have_some_too(command: str) -> None:
    lines = shown("batchd", command).partition("examples:\n")[2].splitlines()
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        parsed = batchd_parser().parse_args(words[words.index("batchd") + 1 :])
        assert parsed.command in {command, "run"}
    [named] = re.findall(r"BATCHD_FAILPOINTS=([a-z.]+):1:kill", shown("batchd", "failpoints"))
    assert named in PLACES
