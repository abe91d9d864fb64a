"""Tab completion as a person meets it: in bash, zsh and fish in a real terminal, at the press of the key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from described_feeds import DescribedFeeds
from installation import BIN, eventually
from terminal_screen import TerminalScreen

CLEARED = "\x15"
"""Ctrl-U takes the line away; Ctrl-C would take along what is typed behind it."""

SHELLS = [
    pytest.param("bash", marks=pytest.mark.system_tool("bash", package="bash")),
    pytest.param("zsh", marks=pytest.mark.system_tool("zsh", package="zsh")),
    pytest.param("fish", marks=pytest.mark.system_tool("fish", package="fish")),
]
START = {
    "bash": (["--noprofile", "--norc", "-i"], "PS1='at> '; source <(batchctl completion bash); clear"),
    "zsh": (["-f", "-i"], "PS1='at> '; autoload -U compinit; compinit -u -D; source <(batchctl completion zsh); clear"),
    "fish": (
        ["--no-config", "-i"],
        "function fish_prompt; echo -n 'at> '; end; batchctl completion fish | source; clear",
    ),
}


@contextmanager
def shell(name: str, home: Path) -> Iterator[TerminalScreen]:
    """Start an interactive shell that has loaded the script, and yield its terminal once it is ready."""
    arguments, begin = START[name]
    env: Mapping[str, str] = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
    }
    with TerminalScreen([shutil.which(name) or name, *arguments], columns=100, rows=30, env=env, cwd=home) as screen:
        eventually(lambda: any(screen.lines), "the shell is there")
        screen.type(f"{begin}\n")
        eventually(lambda: screen.text.strip() == "at>", f"{name} is ready: {screen.text}")
        yield screen


@pytest.mark.parametrize("name", SHELLS)
def test_commands_ids_and_feeds_are_completed_at_the_press_of_tab(
    feeds: DescribedFeeds, tmp_path: Path, name: str
) -> None:
    [batch] = [feeds.completed("contacts").id]
    home = tmp_path / "home"
    home.mkdir()
    with shell(name, home) as screen:
        screen.type("batchctl stat\t")
        eventually(lambda: "at> batchctl status" in screen.lines, "the command is whole")
        screen.type(f"{batch[:9]}\t")
        eventually(lambda: f"at> batchctl status {batch}" in screen.text, "the word is whole")
        screen.type(CLEARED)
        screen.type("batchctl list --feed l\t")
        eventually(lambda: "at> batchctl list --feed leads" in screen.text, "the word is whole")
        screen.type(CLEARED)
        screen.type("batchctl resume --paused-by r\t")
        eventually(lambda: "at> batchctl resume --paused-by refusal" in screen.text, "the word is whole")


@pytest.mark.parametrize("name", SHELLS)
def test_a_file_is_offered_where_a_file_belongs(feeds: DescribedFeeds, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "customers.csv").touch()
    with shell(name, home) as screen:
        screen.type("batchctl try cust\t")
        eventually(lambda: "at> batchctl try customers.csv" in screen.text, "the word is whole")
