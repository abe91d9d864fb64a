"""What an export is written to: a file that appears only when it is whole, or a pipe or device that is there."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from activities.disk.atomic_files import removed_after
from workflows.errors import SettingsError


@contextmanager
def output_file(name: str) -> Iterator[BinaryIO]:
    """Yield what to write to. A regular file is replaced at the end of the block, behind links, and not if it fails.

    Raises:
        SettingsError: it is no name of a file.
        OSError: it cannot be written; `filename` is `name`.
    """
    try:
        there = _looked_at(name)
        writing = _in_place(name) if there and not stat.S_ISREG(there.st_mode) else _replaced(name, there)
        with writing as out:
            yield out
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error


def _looked_at(name: str) -> os.stat_result | None:
    if not name:
        raise SettingsError("export: --output is empty; give the name of a file")
    try:
        there = os.stat(name)  # noqa: PTH116 - a Path would drop the slash at the end
    except FileNotFoundError:
        there = None
    if name.endswith("/") or (there and stat.S_ISDIR(there.st_mode)):
        raise SettingsError(f"export: --output {name} is a folder; give the name of a file in it")
    return there


@contextmanager
def _in_place(name: str) -> Iterator[BinaryIO]:
    with Path(name).open("wb") as out:
        yield out


@contextmanager
def _replaced(name: str, there: os.stat_result | None) -> Iterator[BinaryIO]:
    """Write beside what the name leads to, and put it in its place when it is whole and durable."""
    target = Path(os.path.realpath(name))
    hidden = target.with_name(f".export-{os.getpid()}-{secrets.token_hex(4)}.part")
    with removed_after(hidden):
        with hidden.open("xb") as out:
            if there:
                os.fchmod(out.fileno(), stat.S_IMODE(there.st_mode))
            yield out
            out.flush()
            os.fsync(out.fileno())
        hidden.replace(target)
