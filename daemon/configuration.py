"""Writes `docs/configuration.md` from the settings class: `make docs`. A test holds the file to the class."""

from __future__ import annotations

import sys
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from daemon.settings import PREFIX, Settings

INTRODUCTION = """# Configuration

Every setting is an environment variable. An unknown `BATCH_*` name is an error that suggests the right one, so a typing
mistake never goes unnoticed. A value that cannot work (an address with a bad port, a token file without a token) ends
`batchd` before anything is started, with exit code 2 and the setting named. This page is generated from the settings
class by `make docs`.

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
The mock API has settings of its own, `MOCK_API_*`: see `python -m mock_api --help`.
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
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(field.annotation)).replace("|", "\\|")
    bounds = [
        f"{sign} {getattr(each, attribute):,}"
        for each in field.metadata
        for attribute, sign in _BOUNDS.items()
        if hasattr(each, attribute)
    ]
    return ", ".join(bounds) or _kind(field)


def _kind(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "`true`, `false`"
    return (
        str(getattr(field.annotation, "__name__", "text")).replace("SecretStr", "secret").replace("str", "text").lower()
    )


_BOUNDS = {"ge": ">=", "gt": ">", "le": "<="}

if __name__ == "__main__":
    sys.stdout.write(configuration_page())
