"""Writes `docs/configuration.md` from the settings class: `make docs`. A test holds the file to the class."""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from daemon.config.settings import PREFIX, Settings

INTRODUCTION = """# Configuration

Every setting is an environment variable. An unknown `BATCH_*` name is an error that suggests the right one, so a typing
mistake never goes unnoticed. A value that cannot work (an address with a bad port, an empty path, a token file without
a token) ends `batchd` before anything is started, with exit code 2 and the setting named. This page is generated from
the settings class by `make docs`.

Temporal's own address, namespace, TLS and API key are Temporal's own `TEMPORAL_*` variables and profiles
(`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`, `TEMPORAL_CONFIG_FILE`,
`TEMPORAL_PROFILE`). Where none of them is set and no profile names a server, `batchd run` starts the embedded one. An
unknown `TEMPORAL_*` name, a file that is not there or a namespace that the server does not have ends `batchd` and
`batchctl` with exit code 2 and one line, a server that does not answer with 3; names that belong to other tools of
Temporal, such as `TEMPORAL_CLI_*` and `TEMPORAL_ENV`, are left alone.

| setting | default | values | effect |
| --- | --- | --- | --- |
"""

MOCK = """
The mock API has settings of its own, `MOCK_API_*`: see `python -m mock_api --help` and
its [README](../mock_api/README.md).
"""


def configuration_page() -> str:
    """Return the whole page as markdown."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return INTRODUCTION + "\n".join(rows) + "\n" + MOCK


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_values(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    default = field.get_default()
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default in (None, "", ()):
        return "empty"
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`".replace("|", "\\|")


def _values(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(each, attribute):,}"
        for each in field.metadata
        for attribute, sign in _BOUNDS.items()
        if hasattr(each, attribute)
    ]
    return ", ".join(bounds) or kind_of(field.annotation)


def kind_of(annotation: Any) -> str:
    """Return what a value of a type is, in words that do not hang on how a version of Python prints types.

    Raises:
        KeyError: no words are known for this type.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_of(parts[0])
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in parts).replace("|", "\\|")
    if origin in {Union, UnionType}:
        return ", ".join(kind_of(each) for each in parts if each is not NoneType)
    return _KINDS[origin or annotation]


_KINDS: dict[Any, str] = {
    bool: "`true`, `false`",
    float: "number",
    int: "whole number",
    Path: "path",
    SecretStr: "secret",
    str: "text",
    tuple: "text, comma-separated",
}
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<="}

if __name__ == "__main__":
    sys.stdout.write(configuration_page())
