"""Which file is the configuration: by the argument of `batchd` and of `batchctl`, a variable, or where it usually is.

Imports no settings: help must not wait for them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from workflows.errors import SettingsError

CONFIG_VARIABLE = "BATCH_CONFIG"
"""Names the configuration file; it is no setting."""

USUAL_PATHS = (Path("batchd.toml"), Path("/etc/batchd/batchd.toml"))

_HELP = "batchd.toml; left out: BATCH_CONFIG, ./batchd.toml, /etc/batchd/batchd.toml, or else BATCH_* variables"


def add_config_file(parser: argparse.ArgumentParser, *, behind_command: bool = False) -> None:
    """Let a configuration file be named; one behind the command counts."""
    default = argparse.SUPPRESS if behind_command else None  # what is left out there leaves what stands before it
    parser.add_argument("--config", type=Path, metavar="FILE", default=default, help=_HELP)


def config_path(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: `given`, else `BATCH_CONFIG`, else the first usual one that exists; None for none.

    Raises:
        SettingsError: `BATCH_CONFIG` is empty.
    """
    if given is not None:
        return given
    if CONFIG_VARIABLE in environ:
        if not environ[CONFIG_VARIABLE].strip():
            raise SettingsError(f"{CONFIG_VARIABLE} is empty; set it to the path of a file, or unset it")
        return Path(environ[CONFIG_VARIABLE])
    return next((each for each in USUAL_PATHS if os.path.lexists(each)), None)
