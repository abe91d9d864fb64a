"""`submit`: a file into the inbox the safe way, whole at the moment it appears."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any, BinaryIO

from activities.moving import rename_where_free, sync_folder
from daemon.batchctl.awaited import Deadline, end_of, submitted_batch
from daemon.batchctl.desk import Desk
from daemon.batchctl.ended import tell_end
from daemon.batchctl.exits import DONE, NotPossible
from daemon.batchctl.options import add_timeout, command
from daemon.batchctl.words import put, say
from daemon.settings import Settings
from workflows.errors import SettingsError
from workflows.ids import printable

BLOCK_BYTES = 1_048_576


def add_commands(commands: Any) -> None:
    """Add `submit`."""
    submit = command(commands, "submit", run_submit, help_text="copy a file into the inbox, so that it appears whole")
    submit.add_argument("file", metavar="FILE", type=Path, help="the file; it is copied and stays where it is")
    submit.add_argument("--name", metavar="NAME", help="name in the inbox; the file's own by default")
    submit.add_argument("--wait", action="store_true", help="return when its batch has ended")
    add_timeout(submit)


async def run_submit(settings: Settings, parsed: argparse.Namespace) -> int:
    """Copy the file and print its name in the inbox; with `--wait`, wait for its batch to end."""
    name = parsed.name or parsed.file.name
    check_name(settings, name)
    sha256 = copy_in(parsed.file, settings.inbox, name)
    put(name)
    if not parsed.wait:
        say(f"{name} is in {settings.inbox}; 'batchctl watch {name}' shows its progress")
        return DONE
    say(f"{name} is in {settings.inbox}; waiting for its batch to end")
    desk, deadline = Desk(settings), Deadline(parsed.timeout)
    identity = await submitted_batch(desk, name, sha256, deadline)
    return tell_end(await end_of(desk, identity, deadline))


def check_name(settings: Settings, name: str) -> None:
    """Check that the daemon would take a file of this name.

    Raises:
        SettingsError: it would not.
    """
    if "/" in name or "\0" in name or name.startswith(".") or not name:
        raise SettingsError(f"{name!a} cannot be a name in the inbox: no path, and no dot at its start")
    if not fnmatch.fnmatchcase(name.lower(), settings.pattern.lower()):
        raise SettingsError(
            f"{printable(name)} does not match BATCH_PATTERN ({settings.pattern}), so it would never be taken; "
            "give another name with --name"
        )


def copy_in(source: Path, inbox: Path, name: str) -> str:
    """Copy `source` into the inbox under `name` and return its sha256.

    It is written under a hidden name, synced and renamed, so that the daemon never sees half of it and nothing that
    waits there is replaced.

    Raises:
        NotPossible: `source` is no plain file, or a file called `name` waits in the inbox.
    """
    if not inbox.is_dir():
        raise SettingsError(f"there is no inbox {inbox}; start batchd here, or set BATCH_INBOX")
    target, hidden = inbox / name, inbox / f".{secrets.token_hex(8)}.part"
    if os.path.lexists(target):
        raise _taken(target)
    try:
        with _plain(source) as reading, hidden.open("xb") as writing:
            sha256 = _copied(reading, writing)
        try:
            rename_where_free(hidden, target)
        except FileExistsError as error:
            raise _taken(target) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            hidden.unlink()
    sync_folder(inbox)
    return sha256


def _plain(source: Path) -> BinaryIO:
    file = os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotPossible(f"{printable(str(source))} is not a plain file")
    return file


def _copied(reading: BinaryIO, writing: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := reading.read(BLOCK_BYTES):
        digest.update(block)
        writing.write(block)
    writing.flush()
    os.fsync(writing.fileno())
    return digest.hexdigest()


def _taken(target: Path) -> NotPossible:
    return NotPossible(
        f"a file {printable(target.name)} already waits in the inbox; wait until it is taken, or give another --name"
    )
