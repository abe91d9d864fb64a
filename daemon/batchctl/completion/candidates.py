"""What may stand where the cursor is: commands, options, batch ids, feeds, APIs, states.

A shell asks at every press of the key, so nothing is imported here that costs time: no settings, no command. The table
of options stands here for that reason; a test holds it to the parsers of the commands.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daemon.config.arguments import config_path
from workflows.errors import SettingsError

MARK = "__complete"
"""The word with which a shell asks; it is no command."""

STATE_DIR = ".batchd"
"""The state folder where no setting names one."""

EVERYWHERE = "--config=FILE --help"
OPTIONS = {
    "list": "--state=STATE --feed=FEED --all --limit=TEXT --json",
    "feeds": "--json",
    "status": "--json",
    "wait": "--timeout=TEXT --json",
    "watch": "--feed=FEED --timeout=TEXT --json",
    "pause": "--all --feed=FEED --api=API --dry-run --json --reason=TEXT",
    "resume": "--all --feed=FEED --api=API --dry-run --json --reason=TEXT --paused-by=PAUSED_BY",
    "cancel": "--reason=TEXT --wait",
    "submit": "--name=TEXT --wait --feed=FEED --timeout=TEXT",
    "retry-failed": "--no-wait --timeout=TEXT",
    "rerun": "--reason=TEXT",
    "try": "--feed=FEED --rows=TEXT --send --json",
    "dialect": "--feed=FEED --json",
    "schema": "--feed=FEED --rows=TEXT",
    "explain": "--feed=FEED --json",
    "verify": "--source=FILE --json",
    "export": "--csv --jsonl --output=FILE --formula-safe",
    "set": "--all --feed=FEED --api=API --reason=TEXT",
    "doctor": "--feed=FEED --json",
    "chaos": "--rows=TEXT --seconds=TEXT --every=TEXT --seed=TEXT --keep --json",
    "config": "",
    "reload": "--json",
    "completion": "",
}
"""The options of each command, with what follows those that take a value."""

IDS = frozenset(
    ["status", "wait", "watch", "pause", "resume", "cancel", "retry-failed", "rerun", "verify", "export", "set"]
)
"""Commands that are about a batch."""

FIXED = {
    "STATE": ["running", "paused", "waiting", "completed", "failed", "cancelled"],
    "PAUSED_BY": ["refusal", "question", "person", "anything"],
    "config": ["check", "show"],
    "completion": ["bash", "zsh", "fish"],
}


def candidates(words: list[str], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return what the last of `words` may become; `words` are those behind `batchctl`, as far as the cursor.

    Empty where nothing fits, or where a file or free text belongs.
    """
    *before, begun = _joined(words) or [""]
    command = _command(before)
    options = _options(command)
    if begun.startswith("--") and "=" in begun:
        option, _, value = begun.partition("=")
        return [f"{option}={each}" for each in _values(options.get(option, ""), before, environ, value)]
    if before and (kind := options.get(before[-1])):
        return _values(kind, before, environ, begun)
    if begun.startswith("-"):
        return [each for each in options if each.startswith(begun)]
    if command is None:
        return [each for each in OPTIONS if each.startswith(begun)]
    limits = ["concurrency=", "rate="] if command == "set" else []
    kind = "ID" if command in IDS else command
    return [*_values(kind, before, environ, begun), *(each for each in limits if each.startswith(begun))]


def _joined(words: Iterable[str]) -> list[str]:
    """Return the words with `--feed = x`, as bash takes them apart, as one word each."""
    joined: list[str] = []
    for each in words:
        if joined and (each == "=" or joined[-1].endswith("=")) and joined[-1].startswith("--"):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def _command(words: list[str]) -> str | None:
    after_config = [each for index, each in enumerate(words) if index == 0 or words[index - 1] != "--config"]
    return next((each for each in after_config if each in OPTIONS), None)


def _options(command: str | None) -> dict[str, str]:
    """Return the options there are, each with the kind of its value; empty for none."""
    there = f"{OPTIONS[command]} {EVERYWHERE}" if command else f"{EVERYWHERE} --version"
    return {option: kind for option, _, kind in (each.partition("=") for each in there.split())}


def _values(kind: str, words: list[str], environ: Mapping[str, str], begun: str) -> list[str]:
    if kind in FIXED:
        found: Iterable[str] = FIXED[kind]
    elif kind in {"FEED", "API"}:
        found = _table(_document(words, environ), kind.lower()) or ["default"]
    else:
        found = _ids(words, environ) if kind == "ID" else []
    return sorted(each for each in found if each.startswith(begun))


def _ids(words: list[str], environ: Mapping[str, str]) -> list[str]:
    folder = environ.get("BATCH_STATE_DIR") or _state_dir(words, environ)
    with contextlib.suppress(FileNotFoundError), os.scandir(os.path.join(folder, "receipts")) as entries:  # noqa: PTH118 - `Path` is slower, for nothing
        return [each.name[:-5] for each in entries if each.name.endswith(".json") and not each.name.startswith(".")]
    return []


def _state_dir(words: list[str], environ: Mapping[str, str]) -> str:
    file = _file(words, environ)
    named = str(_table(_document(words, environ), "service").get("state_dir", STATE_DIR))
    return str(file.parent / named) if file and named != STATE_DIR else named


def _document(words: list[str], environ: Mapping[str, str]) -> dict[str, Any]:
    file = _file(words, environ)
    return tomllib.loads(file.read_text()) if file else {}


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _file(words: list[str], environ: Mapping[str, str]) -> Path | None:
    given = [each.partition("=")[2] for each in words if each.startswith("--config=")]
    given += [each for index, each in enumerate(words) if index and words[index - 1] == "--config"]
    return config_path(Path(given[-1]) if given else None, environ)


def put_candidates(words: list[str]) -> None:
    """Print the candidates, one a line. What goes wrong is the business of the command, not of the key."""
    try:
        found = candidates(words)
    except (OSError, ValueError, SettingsError):
        return
    print(*found, sep="\n", end="\n" if found else "")  # noqa: T201 - a shell reads it
