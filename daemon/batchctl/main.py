"""`batchctl`: parse, one call to a plain function, print.

Data goes to standard output, messages to standard error. A command's module is imported only when it is the one asked
for: Temporal's SDK, pydantic and rich take most of a second. This file turns how a command ends into an exit code.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from daemon.batchctl.arguments import CommandParser
from daemon.batchctl.completion.candidates import MARK, put_candidates
from daemon.batchctl.console.printing import open_closed_ones, say, write
from daemon.batchctl.examples import examples_of
from daemon.batchctl.exit_codes import DONE, FAILED, INTERRUPTED, USAGE, exit_code
from daemon.config.arguments import Parser, add_config_file
from workflows.errors import BatchdError

COMMANDS = {
    "list": ("listing", "list the batches, newest first"),
    "feeds": ("feeds", "list the feeds: files that wait, batches that run, rows today, outages"),
    "status": ("status", "show one batch: state, counts, speed, what it waits for, its output"),
    "wait": ("progress.wait", "return when a batch has ended"),
    "watch": ("progress.wait", "show live progress of one batch, or of all, until the end"),
    "pause": ("control", "start no further API call for a batch, or for many, until 'resume'"),
    "resume": ("control", "let a paused batch go on, or all that the API refused"),
    "cancel": ("control", "end a batch: open chunks are finished, a manifest says what is done"),
    "submit": ("submit", "copy a file into the inbox, so that it appears whole"),
    "retry-failed": ("again", "call the API again for the fallback rows of a batch"),
    "rerun": ("again", "do a finished batch again as a new one; the old is kept"),
    "try": ("try_", "show the requests for the first rows of a file; with --send, call the API with them"),
    "dialect": ("reading.dialect", "show how a file is written, how sure that is, and what to set"),
    "schema": ("reading.schema", "propose a Table Schema for a file, from its first rows"),
    "explain": ("explain", "show every rule of intake for a file, and its fate"),
    "verify": ("proof", "prove a result: every row once, every digest"),
    "export": ("proof", "write a whole result in source order"),
    "set": ("limits", "change the API limits of one running batch, or of all"),
    "doctor": ("doctor", "check settings, folders, API, Temporal and workers"),
    "chaos": ("chaos", "run a batch of its own, kill everything every few seconds, and prove the result"),
    "completion": ("completion.command", "print the script for tab completion in bash, zsh or fish"),
    "config": ("config", "check the configuration, or show what it says"),
    "reload": ("config", "let a running batchd load its configuration file anew, all of it or nothing"),
}
"""Each command, as the help lists them: its module in `daemon.batchctl.commands` or a room beside, and what it does."""

OF_THE_FILE = frozenset({"chaos", "completion", "config", "dialect", "reload", "schema", "try"})
"""Commands that read the configuration themselves, and what of it the service does not serve too, or not at all."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `batchctl` and end the process with its exit code."""
    open_closed_ones()
    words = sys.argv[1:] if arguments is None else list(arguments)
    code = _completed(words[1:]) if words[:1] == [MARK] else run(words)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    # Temporal's native threads now and then abort the interpreter's own exit; everything is closed by now.
    os._exit(code)


def _completed(words: list[str]) -> int:
    put_candidates(words)
    return DONE


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Only an error nobody foresaw shows a traceback."""
    try:
        return _command(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return DONE  # of a stream of rows or of progress that its reader has left
    except Exception as error:  # noqa: BLE001 - the last resort of a program
        return _report(error)


def _report(error: Exception) -> int:
    if isinstance(error, BatchdError):
        say(str(error))
        return exit_code(error)
    if isinstance(error, OSError):
        say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    elif isinstance(error, MemoryError):
        say("the memory of this host does not suffice for that; a result can be copied to another and proved there")
    else:
        import traceback  # noqa: PLC0415 - for what nobody foresaw

        traceback.print_exc()
    return FAILED


def _command(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    from daemon.batchctl.settings_in_use import settings_in_use  # noqa: PLC0415 - loads pydantic, which no help needs

    in_use = None if parsed.command in OF_THE_FILE else settings_in_use(parsed.config)
    outcome = parsed.run(in_use, parsed)
    code: int = _awaited(outcome) if isinstance(outcome, Coroutine) else outcome
    write("")
    return code


def _awaited(outcome: Coroutine[Any, Any, int]) -> int:
    import asyncio  # noqa: PLC0415 - takes a tenth of a second, which a shell that completes has not

    return asyncio.run(outcome)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="batchctl",
        description="Show and steer the batches of batchd.",
        epilog="ID is a batch id, batch-<id>, a unique beginning of either, or a file name (its latest batch). "
        "Exit codes: 0 done, 1 failed or did not hold, 2 usage or settings, 3 Temporal unreachable, "
        "4 no such batch or more than one, 5 timed out, 130 interrupted.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show program's version number and exit")
    add_config_file(parser)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="command", parser_class=CommandParser)
    for name, (module, help_text) in COMMANDS.items():
        description = help_text[0].upper() + help_text[1:] + "."
        epilog = examples_of(name)
        commands.add_parser(name, command=name, module=module, help=help_text, description=description, epilog=epilog)
    return parser


class _ShowVersion(argparse.Action):
    """Look the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - reads the metadata of what is installed

        sys.stdout.write(f"batchctl {version('batchd')}\n")
        parser.exit()


if __name__ == "__main__":
    main()
