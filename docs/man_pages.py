"""The man pages, made of what the programs say of themselves: `python docs/man_pages.py FOLDER`.

One file a program, such as `batchctl.1`, for section 1 (everybody) or 8 (who runs the host) of the manual, in the
language of man(7); and `batchd.env.5`, of the settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from batchd.host.__main__ import build_parser as host
from daemon.batchctl.arguments import CommandParser
from daemon.batchctl.main import build_parser as batchctl
from daemon.checker.__main__ import build_parser as checker
from daemon.command import build_parser as batchd
from daemon.config.settings import PREFIX, Settings
from mock_api.__main__ import build_parser as mock_api

SEE_ALSO = """The documentation of batchd: operations.md (what happens to a file, and what to do at 3 a.m.),
configuration.md (every setting), batchctl.md (every command with its output, its JSON and its exit codes)."""


def main(folder: Path) -> None:
    """Write all pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages():
        (folder / name).write_text(page)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name of each file and the page."""
    for parser, section, about in (
        (batchctl(), 1, "show and steer the batches of batchd"),
        (batchd(), 1, "turn each CSV file that is dropped into a folder into one durable batch job"),
        (checker("batchd-checker"), 1, "judge the results of batchd by code of its own"),
        (mock_api("batchd-mock-api"), 1, "a mock of the API that batchd calls"),
        (host(), 8, "install, upgrade or remove batchd on this host"),
    ):
        yield f"{parser.prog}.{section}", "\n".join(_page(parser, section, about)) + "\n"

    yield "batchd.env.5", "\n".join(_settings_page()) + "\n"


def _settings_page() -> Iterator[str]:
    yield f'.TH BATCHD.ENV 5 "" "batchd {version("batchd")}" batchd'
    yield ".SH NAME"
    yield "batchd.env \\- settings of batchd"
    yield ".SH DESCRIPTION"
    yield _text("Variables of the environment, NAME=VALUE a line, in /etc/batchd/batchd.env where systemd runs batchd.")
    yield ".SH SETTINGS"
    for name, field in Settings.model_fields.items():
        yield ".TP"
        yield f"\\fB{PREFIX}{name.upper()}\\fR"
        yield _text(field.description or "")
    yield ".SH SEE ALSO"
    yield _text(SEE_ALSO)


def _page(parser: argparse.ArgumentParser, section: int, about: str) -> Iterator[str]:
    yield f'.TH {parser.prog.upper()} {section} "" "batchd {version("batchd")}" batchd'
    yield ".SH NAME"
    yield f"{parser.prog} \\- {_text(about)}"
    yield ".SH SYNOPSIS"
    yield _usage(parser)
    yield ".SH DESCRIPTION"
    yield _text(parser.description or "")
    arguments = list(_arguments(parser))
    if arguments:
        yield ".SH OPTIONS"
        yield from arguments
    commands = list(_commands(parser))
    if commands:
        yield ".SH COMMANDS"
    for command, does in commands:
        yield from _command(command, does)
    if parser.epilog:
        yield ".SH NOTES"
        yield _text(parser.epilog)
    yield ".SH SEE ALSO"
    yield _text(SEE_ALSO)


def _command(parser: argparse.ArgumentParser, does: str) -> Iterator[str]:
    if isinstance(parser, CommandParser):
        parser.declare()
    yield f".SS {_text(parser.prog)}"
    yield _text(parser.description or f"{does[:1].upper()}{does[1:]}.")
    yield ".PP"
    yield _usage(parser)
    yield from _arguments(parser)
    if parser.epilog:
        yield ".PP"
        yield from (f"{_text(line)}\n.br" for line in parser.epilog.splitlines())
    for command, of_it in _commands(parser):
        yield from _command(command, of_it)


def _usage(parser: argparse.ArgumentParser) -> str:
    words = parser.format_usage().removeprefix("usage: ").split()
    program = len(parser.prog.split())
    return f"\\fB{_text(' '.join(words[:program]))}\\fR {_text(' '.join(words[program:]))}"


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield what may stand behind a command, but for `--help` and the commands themselves."""
    formatter = parser._get_formatter()  # noqa: SLF001 - as below
    for action in parser._actions:  # noqa: SLF001 - argparse shows them to nobody
        is_told = action.help not in {None, argparse.SUPPRESS} and not isinstance(action.choices, dict)
        if is_told and action.dest != "help":
            yield ".TP"
            yield f"\\fB{_text(formatter._format_action_invocation(action))}\\fR"  # noqa: SLF001 - as above
            yield _text(formatter._expand_help(action))  # noqa: SLF001 - as above


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Yield the parsers of the commands that are shown to people, each with what it does."""
    for action in parser._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            yield from ((action.choices[each.dest], each.help or "") for each in action._get_subactions())  # noqa: SLF001 - as above


def _text(text: str) -> str:
    """Return a text in which no character means anything to groff."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in safe.splitlines())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
