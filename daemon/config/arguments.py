"""What the command lines of `batchd` and `batchctl` share: a parser that names what was probably meant, and `--config`.

Imports no settings: help must not wait for them.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from daemon.config.nearest_name import nearest
from workflows.errors import SettingsError

CONFIG_VARIABLE = "BATCH_CONFIG"
"""Names the configuration file; it is no setting."""

USUAL_PATHS = (Path("batchd.toml"), Path("/etc/batchd/batchd.toml"))

_HELP = "batchd.toml; left out: BATCH_CONFIG, ./batchd.toml, /etc/batchd/batchd.toml, or else BATCH_* variables"

_NO_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")
"""What argparse says; Python 3.12 and later leave the quotes of the choices out."""


class WithExamples(argparse.HelpFormatter):
    """Leaves a text of several lines as it is: examples are there to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(f"{indent}{line}" for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Names the nearest command, option or choice for one that there is not; so do the parsers of its commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": WithExamples, **settings})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse what is not known here, where the options are known that may have been meant."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(
                f"unrecognized arguments: {' '.join(unknown)}{self._hint(unknown[0], self._option_string_actions)}"
            )
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and what was probably meant."""
        refused = _NO_CHOICE.search(message)
        if refused:
            message += self._hint(refused[1], [each.strip("'") for each in refused[2].split(", ")])
        super().error(message)

    @staticmethod
    def _hint(word: str, known: Iterable[str]) -> str:
        close = nearest(word.partition("=")[0], known)
        return f"; did you mean {close}?" if close else ""


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
