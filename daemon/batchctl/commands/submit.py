"""`submit`: a file into the inbox the safe way, whole at the moment it appears."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import os
import pwd
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

from activities.disk.atomic_files import removed_after, sync_folder
from activities.disk.hashing import copy_hashed
from activities.disk.moves import rename_where_free
from daemon.batchctl.arguments import add_feed, add_timeout
from daemon.batchctl.console.printing import put, say
from daemon.batchctl.exit_codes import DONE, NotPossible
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed
from daemon.batchctl.state.session import Session
from daemon.batchctl.state.waiting import Deadline, end_of, say_end, submitted_batch
from daemon.config.feed_settings import setting_name
from daemon.config.settings import Settings
from workflows.errors import SettingsError
from workflows.ids import printable

READ_AND_OWN_WRITE = 0o644


def add_submit(parser: argparse.ArgumentParser) -> None:
    """Declare `submit`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the file; it is copied and stays where it is")
    parser.add_argument("--name", metavar="NAME", help="name in the inbox; the file's own by default")
    parser.add_argument("--wait", action="store_true", help="return when its batch has ended")
    add_feed(parser, "the feed it is for; left out: the only one")
    add_timeout(parser)


async def run_submit(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Copy the file and print its name in the inbox; with `--wait`, wait for its batch to end."""
    name = parsed.name or parsed.file.name
    if parsed.file.is_dir():
        raise NotPossible(f"{printable(str(parsed.file))} is a folder; submit the files in it one by one")
    feed = chosen_feed(in_use.feeds, parsed.feed)
    settings = in_use.feeds[feed]
    check_name(settings, name)
    sha256 = copy_in(settings, parsed.file, name)
    put(name)
    if not parsed.wait:
        say(f"{name} is in {settings.inbox}; 'batchctl watch {name}' shows its progress")
        return DONE
    say(f"{name} is in {settings.inbox}; waiting for its batch to end")
    session, deadline = Session(in_use, feed), Deadline(parsed.timeout, [settings])
    identity = await submitted_batch(session, settings, name, sha256, deadline)
    return say_end(await end_of(session, identity, deadline))


def check_name(settings: Settings, name: str) -> None:
    """Check that the daemon would take a file of this name.

    Raises:
        SettingsError: it would not.
    """
    if "/" in name or "\0" in name or name.startswith(".") or not name:
        raise SettingsError(f"{name!a} cannot be a name in the inbox: no path, and no dot at its start")
    if not fnmatch.fnmatchcase(name.lower(), settings.pattern.lower()):
        pattern = f"{setting_name(settings, 'pattern')} ({settings.pattern})"
        never = "so it would never be taken; give another name with --name"
        raise SettingsError(f"{printable(name)} does not match {pattern}, {never}")


def copy_in(settings: Settings, source: Path, name: str) -> str:
    """Copy `source` into the inbox under `name` and return its sha256.

    It is written under a hidden name, synced and renamed, so that the daemon never sees half of it and nothing that
    waits there is replaced. Nobody may read the copy who may not read `source`, but for the group of the inbox in place
    of its own, and as root the user of the daemon in place of root.

    Raises:
        NotPossible: `source` is no plain file, the daemon could not read the copy, or a file called `name` waits there.
    """
    inbox = settings.inbox
    if not inbox.is_dir():
        raise SettingsError(f"there is no inbox {inbox}; start batchd here, or set {setting_name(settings, 'inbox')}")
    target, hidden = inbox / name, inbox / f".{secrets.token_hex(8)}.part"
    if os.path.lexists(target):
        raise _taken(target)
    with removed_after(hidden):
        with _plain(source) as reading, _private(hidden) as writing:
            _let_daemon_read(settings, source, writing.fileno(), os.fstat(reading.fileno()))
            sha256 = copy_hashed(reading, writing)
        try:
            rename_where_free(hidden, target)
        except FileExistsError as error:
            raise _taken(target) from error
    sync_folder(inbox)
    return sha256


def _plain(source: Path) -> BinaryIO:
    file = os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotPossible(f"{printable(str(source))} is not a plain file")
    return file


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _let_daemon_read(settings: Settings, source: Path, copy: int, facts: os.stat_result) -> None:
    """Give the copy the mode of its source, without the rights to run it or to write it that others have.

    Raises:
        NotPossible: the user of the daemon could not read it.
    """
    os.fchmod(copy, stat.S_IMODE(facts.st_mode) & READ_AND_OWN_WRITE)
    user = _user_of_daemon(settings)
    if os.geteuid() == 0 and user:
        with contextlib.suppress(PermissionError):
            os.fchown(copy, user, os.fstat(copy).st_gid)
    if not may_read(user, os.fstat(copy)):
        raise NotPossible(
            f"{printable(str(source))} has mode {stat.S_IMODE(facts.st_mode):04o}, and so would its copy, which batchd "
            f"(user {_user_name(user)}) could not read; let its group read it (chmod g+r), or submit it as that user"
        )


def may_read(user: int, facts: os.stat_result) -> bool:
    """Return whether a user may read a file, by its owner, group and mode."""
    if user in {0, facts.st_uid}:
        return user == 0 or bool(facts.st_mode & stat.S_IRUSR)
    with contextlib.suppress(KeyError):
        entry = pwd.getpwuid(user)
        if facts.st_gid in os.getgrouplist(entry.pw_name, entry.pw_gid):
            return bool(facts.st_mode & stat.S_IRGRP)
    return bool(facts.st_mode & stat.S_IROTH)


def _user_of_daemon(settings: Settings) -> int:
    """Return the user to whom the state folder belongs, which the daemon makes for itself; else that of the inbox."""
    with contextlib.suppress(OSError):
        return settings.state_dir.stat().st_uid
    return settings.inbox.stat().st_uid


def _user_name(user: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return str(user)


def _taken(target: Path) -> NotPossible:
    return NotPossible(
        f"a file {printable(target.name)} already waits in the inbox; wait until it is taken, or give another --name"
    )
