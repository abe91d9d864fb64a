"""The files that a configuration names: secrets and certificates. Each must be there and fit to be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.config.checks.mistakes import Mistakes
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.secrets import Secret
from daemon.config.setting_values import credential
from workflows.errors import SettingsError

TODO = "name a file that the user of batchd may read"


def check_files(mistakes: Mistakes) -> None:
    """Add every file that cannot be read, and every secret in one that cannot be used."""
    for path, table in mistakes.file.secret_references():
        if isinstance(table.get("file"), str):
            _check_secret((*path, "file"), table["file"], mistakes)
    for path, name in _named_files(mistakes.file.document):
        if isinstance(name, str) and name.strip():
            _check_named(path, mistakes.file.folder / name, mistakes)


def _check_secret(path: KeyPath, name: str, mistakes: Mistakes) -> None:
    if not name.strip():
        return
    try:
        Secret(file=mistakes.file.folder / credential(name), env=None).read()
    except SettingsError as error:
        mistakes.add(path, str(error), todo=TODO)


def _check_named(path: KeyPath, named: Path, mistakes: Mistakes) -> None:
    try:
        with named.open("rb") as file:
            file.read(1)
    except OSError as error:
        mistakes.add(path, f"{named} cannot be read: {error.strerror}", todo=TODO)


def _named_files(document: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the files that are named beside those of secrets."""
    for name in (apis := _table(document, "api")):
        for key in ("ca", "cert", "key"):
            yield ("api", name, "tls", key), _table(_table(apis, name), "tls").get(key)


def _table(around: dict[str, Any], key: str) -> dict[str, Any]:
    found = around.get(key)
    return found if isinstance(found, dict) else {}
