"""The argument that names the configuration file: the same for `batchd` and `batchctl`, before a command or behind it.

Imports no settings: help must not wait for them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

_HELP = "batchd.toml; left out: BATCH_CONFIG, ./batchd.toml, /etc/batchd/batchd.toml, or else BATCH_* variables"


def add_config_file(parser: argparse.ArgumentParser, *, behind_command: bool = False) -> None:
    """Let a configuration file be named; one behind the command counts."""
    default = argparse.SUPPRESS if behind_command else None  # what is left out there leaves what stands before it
    parser.add_argument("--config", type=Path, metavar="FILE", default=default, help=_HELP)
