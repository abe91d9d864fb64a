"""`batchctl`: parse, one call to a plain function, print.

Data goes to standard output, words to standard error. Each command group registers its commands and what runs them;
this file turns how they end into an exit code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

from daemon.batchctl.commands import (
    control,
    doctor,
    explain,
    limits,
    listing,
    proof,
    rerun,
    retry_failed,
    status,
    submit,
    wait,
)
from daemon.batchctl.console.printing import say
from daemon.batchctl.console.streams import open_closed_ones, write
from daemon.batchctl.exit_codes import DONE, FAILED, INTERRUPTED, USAGE, exit_code
from daemon.config.settings import load_settings
from workflows.errors import BatchdError

GROUPS = (listing, status, wait, control, submit, retry_failed, rerun, explain, proof, limits, doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `batchctl` and end the process with its exit code."""
    open_closed_ones()
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    # Temporal's native threads now and then abort the interpreter's own exit; everything is closed by now.
    os._exit(code)


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
        return _told(error)


def _told(error: Exception) -> int:
    if isinstance(error, BatchdError):
        say(str(error))
        return exit_code(error)
    if isinstance(error, OSError):
        say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    elif isinstance(error, MemoryError):
        say("the memory of this host does not suffice for that; a result can be copied to another and proved there")
    else:
        traceback.print_exc()
    return FAILED


def _command(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    outcome = parsed.run(load_settings(), parsed)
    code: int = asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome
    write("")
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="batchctl",
        description="Show and steer the batches of batchd.",
        epilog="ID is a batch id, batch-<id>, a unique beginning of either, or a file name (its latest batch). "
        "Exit codes: 0 done, 1 failed or did not hold, 2 usage or settings, 3 Temporal unreachable, "
        "4 no such batch or more than one, 5 timed out, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"batchctl {version('batchd')}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for group in GROUPS:
        group.add_commands(commands)
    return parser


if __name__ == "__main__":
    main()
