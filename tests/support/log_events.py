"""The events of the log: those that the code tells, and those that the documentation explains."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from repository import ROOT

from activities.disk.failpoint_places import PLACES
from daemon.logs.lines import EVENT, OTHERS_EVENT, OTHERS_EVENTS

LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log", "_log", "_log_moved"}
"""What takes the name of an event: the methods of a logger, and ours that end there."""

FILES = re.compile(r".*\.(json|toml|csv|txt|py|db|lock|done|sha256|sock)")
"""What looks like an event and is the name of a file; so do the places of failpoints, and modules."""


def events_in_code() -> set[str]:
    """Return the name of every event that the code can log.

    Most stand in the call that logs them. Some are chosen between before that: any text of a module that logs counts
    which looks like an event, and begins as one of those does.
    """
    folders = ("daemon", "activities", "workflows")
    trees = [ast.parse(path.read_text()) for folder in folders for path in _modules(folder)]
    told = {name for tree in trees for name in _told(tree)}
    kinds = {name.partition(".")[0] for name in told}
    texts = {name for tree in trees if _logs(tree) for name in _texts(tree)}
    chosen = {each for each in texts - PLACES.keys() if each.partition(".")[0] in kinds}
    others = {OTHERS_EVENT, *OTHERS_EVENTS.values()}
    return told | others | {each for each in chosen if not FILES.fullmatch(each) and not _is_module(each)}


def events_in_docs() -> set[str]:
    """Return every event that the table of docs/operations.md has."""
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| event | level | means |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def _modules(folder: str) -> Iterator[Path]:
    return (ROOT / folder).rglob("*.py")


def _is_module(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()


def _told(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGGING:
            yield from (each for argument in node.args for each in _texts(argument))


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and EVENT.fullmatch(node.value):
            yield node.value


def _logs(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in LOGGING for node in ast.walk(tree))
