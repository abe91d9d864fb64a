"""What the commands print: messages on standard error, data on standard output, numbers as people read them.

What cannot be printed changes nothing of what is done: a reader that has gone silences a stream, so that a command ends
with the exit code it would have had.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TextIO

from activities.registry.timestamps import moment_of
from workflows.ids import printable


def say(text: str) -> None:
    """Write one line to standard error, if it can be written; control characters are escaped.

    In a window that is narrower it goes on in the next line with a whole word, so that a command in it can be copied.
    """
    line = f"batchctl: {printable(text)}"
    try:
        sys.stderr.write((_in_window(line) if sys.stderr.isatty() else line) + "\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def _in_window(line: str) -> str:
    import shutil  # noqa: PLC0415 - loaded for a terminal alone
    import textwrap  # noqa: PLC0415

    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) if len(line) > width else line


def put(text: str) -> bool:
    """Write one line of data to standard output, control characters escaped; False where nobody reads any more."""
    return write(f"{printable(text)}\n")


def put_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    write(json.dumps(document, indent=2, ensure_ascii=True, default=str) + "\n")


def put_facts(facts: list[tuple[str, str]]) -> None:
    """Write labelled facts, one a line."""
    width = max((len(label) for label, _ in facts), default=0)
    for label, text in facts:
        put(f"{label:<{width}}  {text}")


def counted(count: int, noun: str) -> str:
    """Return `1 file`, `2 files`, `1,000 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_bytes(size_bytes: float) -> str:
    """Return a size such as `1.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1_000:  # noqa: PLR2004 - the step between units
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1_000
    return f"{size_bytes:.1f} TB"


def format_duration(seconds: float) -> str:
    """Return a duration such as `45 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from `start` to `end`, or to now where `end` is empty; None where there is no start."""
    began, ended = moment_of(start), moment_of(end) if end else datetime.now(tz=UTC)
    return max((ended - began) / timedelta(seconds=1), 0.0) if began and ended else None


def seconds_until(moment: str) -> float | None:
    """Return the seconds from now to `moment`, less than 0 where it has passed; None where it names none."""
    there = moment_of(moment)
    return (there - datetime.now(tz=UTC)) / timedelta(seconds=1) if there else None


def open_closed_ones() -> None:
    """Give the program streams that lead nowhere for those it was started without, and that take every character."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - for as long as the program runs
    for out in (sys.stdout, sys.stderr):
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="backslashreplace")  # a locale without a character shows which it is


def write(text: str) -> bool:
    """Write to standard output; False where nobody reads it any more.

    Raises:
        OSError: it cannot be written, for want of room or the like.
    """
    out = sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        _silence(out)
        return False
    except OSError as error:
        raise _unwritable(error) from error
    return True


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Yield standard output for bytes.

    Raises:
        BrokenPipeError: nobody reads it any more.
        OSError: it cannot be written, for want of room or the like.
    """
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> OSError:
    """Return `error` as one that names standard output; what was not written is not tried again."""
    _silence(sys.stdout)
    return OSError(error.errno, error.strerror, "standard output")


def _silence(stream: TextIO) -> None:
    """Let everything written to a stream from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
