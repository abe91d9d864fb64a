"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import contextlib
from importlib import import_module
from typing import Any

from daemon.config.arguments import Parser, add_config_file

ID_HELP = "batch id, batch-<id>, a unique beginning of either, or a file name (its latest batch)"
MOST_SECONDS = 1e9
"""Thirty years, which also keeps NaN and infinity out."""


class CommandParser(Parser):
    """The parser of one command, whose module is imported only when that command is asked for.

    There, `add_<command>(parser)` declares its arguments, and `run_<command>(in_use, parsed)` returns the exit code.
    """

    def __init__(self, *, command: str, module: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._function, self._module = command.replace("-", "_"), module
        self._is_declared = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Declare the arguments, and parse."""
        self.declare()
        return super().parse_known_args(args, namespace)

    def declare(self) -> None:
        """Declare the arguments, once."""
        if self._is_declared:
            return
        self._is_declared = True
        path = self._module if "." in self._module else f"commands.{self._module}"
        module = import_module(f"daemon.batchctl.{path}")
        getattr(module, f"add_{self._function}")(self)
        add_config_file(self, behind_command=True)
        self.set_defaults(run=getattr(module, f"run_{self._function}"))


def add_id(
    parser: argparse.ArgumentParser, *, optional: bool = False, help_text: str = ID_HELP, metavar: str = "ID"
) -> None:
    """Let the command take a batch."""
    parser.add_argument("id", metavar=metavar, nargs="?" if optional else None, help=help_text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let the command answer as one JSON document."""
    parser.add_argument("--json", action="store_true", help="print one JSON document (see docs/batchctl.md)")


def add_feed(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Let the command take a feed."""
    parser.add_argument("--feed", metavar="F", help=help_text)


def add_reason(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Let the command take a reason, which is kept with the batch."""
    parser.add_argument("--reason", metavar="R", default="", required=required, help="why; kept with the batch")


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Let the command give up after a time."""
    parser.add_argument("--timeout", metavar="S", type=seconds, help="give up after this many seconds (exit code 5)")


def seconds(text: str) -> float:
    """Return the seconds that an argument names.

    Raises:
        argparse.ArgumentTypeError: it names none, or more than thirty years of them.
    """
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < MOST_SECONDS:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number of seconds, 0 or more, it is {text!a}")


def limit(text: str) -> int:
    """Return how many batches an argument asks for; 0 means all.

    Raises:
        argparse.ArgumentTypeError: it is no whole number, or below 0.
    """
    with contextlib.suppress(ValueError):
        if int(text) >= 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number of batches, 1 or more, or 0 for all, it is {text!a}")
