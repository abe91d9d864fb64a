"""The files that a configuration names: secrets, certificates, schemas. Each must be there and fit to be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.config.checks.mistakes import Mistakes
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.secrets import Secret
from workflows.errors import SettingsError

_NAMED_FILES = {("api", "tls", "ca"), ("api", "tls", "cert"), ("api", "tls", "key"), ("feed", "schema")}
TODO = "name a file that the user of batchd may read"


def check_files(mistakes: Mistakes) -> None:
    """Add every file that cannot be read, and every secret in one that cannot be used."""
    for path, value in _all_values((), mistakes.file.document):
        if not isinstance(value, str) or not value.strip():
            continue
        named = mistakes.file.folder / value
        if path[0] == "api" and path[-1] == "file":
            try:
                Secret(file=named, env=None).read()
            except SettingsError as error:
                mistakes.add(path, str(error), todo=TODO)
        elif (path[0], *path[2:]) in _NAMED_FILES or path == ("defaults", "schema"):
            _check_named(path, named, mistakes)


def _check_named(path: KeyPath, named: Path, mistakes: Mistakes) -> None:
    try:
        with named.open("rb") as file:
            file.read(1)
    except OSError as error:
        mistakes.add(path, f"{named} cannot be read: {error.strerror}", todo=TODO)


def _all_values(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _all_values((*path, key), each)
    else:
        yield path, value
