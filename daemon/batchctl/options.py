"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

ID_HELP = "batch id, batch-<id>, an unique beginning of either, or a file name (its latest batch)"


def command(commands: Any, name: str, run: Callable[..., object], *, help_text: str) -> argparse.ArgumentParser:
    """Add a command that `run(settings, parsed)` runs."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
    )
    parser.set_defaults(run=run)
    return parser


def add_id(parser: argparse.ArgumentParser, *, optional: bool = False, help_text: str = ID_HELP) -> None:
    """Let the command take a batch."""
    parser.add_argument("id", metavar="ID", nargs="?" if optional else None, help=help_text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let the command answer as one JSON document."""
    parser.add_argument("--json", action="store_true", help="print one JSON document (see docs/batchctl.md)")


def add_reason(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Let the command be told why; the reason is kept with the batch."""
    parser.add_argument("--reason", metavar="R", default="", required=required, help="why; kept with the batch")


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Let the command give up after a time."""
    parser.add_argument("--timeout", metavar="S", type=_seconds, help="give up after this many seconds (exit code 5)")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:  # noqa: PLR2004 - thirty years, which also keeps NaN and infinity out
        raise argparse.ArgumentTypeError("must be a number of seconds, 0 or more")
    return value
