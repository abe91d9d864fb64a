"""The file `batchd.toml`: found, read, and every key of it on its line."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config.findings import Finding, WrongConfiguration
from daemon.config.grammar.toml_lines import KeyPath, key_lines

MAX_FILE_BYTES = 4_194_304
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A file that has been read. `name` is its path as it was given, `folder` what relative paths in it belong to."""

    name: str
    folder: Path
    content: bytes = field(repr=False)
    document: dict[str, Any] = field(repr=False)
    lines: dict[KeyPath, int] = field(repr=False)

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest table around it; 1 where there is none."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)

    def secret_references(self) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        """Yield every table that says where a secret is, as it was written, with its path."""
        apis = self.document.get("api")
        for name, section in apis.items() if isinstance(apis, dict) else ():
            for place, table in _tables_below((), section):
                if _is_place_of_secret(place):
                    yield ("api", name, *place), table

    def sha256(self) -> str:
        """Return the hash of what the file says, whatever its layout, without secrets and where they are."""
        document = copy.deepcopy(self.document)
        for path, _ in self.secret_references():
            table: Any = document
            for step in path[:-1]:
                table = table[step]
            table[path[-1]] = "secret"
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


def read_file(path: Path) -> ConfigFile:
    """Read a configuration file.

    Raises:
        WrongConfiguration: it cannot be read, or is no TOML.
    """
    return parsed_file(path, _content_of(path))


def parsed_file(path: Path, content: bytes) -> ConfigFile:
    """Return the configuration file that held `content` when it was read at `path`.

    Raises:
        WrongConfiguration: it is no TOML.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, "is not in UTF-8", line=line, todo="save the file as UTF-8") from error
    return ConfigFile(
        name=str(path),
        folder=path.absolute().parent,
        content=content,
        document=_document(path, text),
        lines=key_lines(text),
    )


def _content_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}", todo="name a file that batchd may read") from error
    if len(content) > MAX_FILE_BYTES:
        raise _unusable(path, f"is no configuration file: it is longer than {MAX_FILE_BYTES:,} bytes")
    return content


def _document(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else len(text.splitlines())
        what = f"is no TOML: {_PLACE.sub('', str(error))}"
        raise _unusable(path, what, line=line, todo="see https://toml.io") from error
    except RecursionError as error:
        raise _unusable(path, "is nested too deep") from error


def _unusable(path: Path, what: str, *, line: int = 0, todo: str = "") -> WrongConfiguration:
    return WrongConfiguration([Finding(file=str(path), line=line, key="", what=what, todo=todo)])


def _tables_below(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, each in value.items():
            yield from _tables_below((*path, key), each)


def _is_place_of_secret(place: KeyPath) -> bool:
    """Return whether a table there in the section of an API can only say where a secret is."""
    match place:
        case ("vars" | "headers", _) | ("auth", "bearer") | ("proxy",):
            return True
        case ("auth", "basic", "password") | ("auth", "oauth2", "client_id" | "client_secret"):
            return True
    return False
