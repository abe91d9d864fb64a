"""Standard output and standard error: what cannot be told to anybody changes nothing of what is done.

A reader that has gone silences a stream, so that a command ends with the exit code it would have had.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO


def open_closed_ones() -> None:
    """Give the program streams that lead nowhere for those it was started without."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - for as long as the program runs


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
        silence(out)
        return False
    except OSError as error:
        raise unwritable(error) from error
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
        raise unwritable(error) from error


def write_words(text: str) -> None:
    """Write to standard error, if it can be written."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)


def unwritable(error: OSError) -> OSError:
    """Return `error` as one that names standard output; what was not written is not tried again."""
    silence(sys.stdout)
    return OSError(error.errno, error.strerror, "standard output")


def silence(stream: TextIO) -> None:
    """Let everything written to a stream from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
