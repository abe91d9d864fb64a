"""What `doctor` can see of the inbox: whether files can be claimed there, and who else has a hand in it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from activities.source.inbox import blocked_folder, in_the_way
from activities.workspace import PROCESSING
from daemon.batchctl.checks.findings import Finding, advice_on_writing, fail, ok, warn
from daemon.batchctl.checks.mounts import mount_finding
from daemon.config.feed_settings import setting_name
from daemon.config.settings import Settings
from daemon.intake.observe.entries import FOLDERS
from daemon.intake.observe.inbox_access import cannot_be_claimed, check_own_folders, is_shared, weakness
from daemon.intake.observe.writing import hidden_by
from daemon.intake.sign_of_life import was_worked

WHOLE_FILES = "let senders rename a file into the inbox when it is whole, or set {}"


def inbox_checks(settings: Settings) -> list[Finding]:
    """Check the inbox: its folders, who may write it, and whether writers can be seen. A test file is removed again."""
    inbox = settings.inbox
    if not inbox.is_dir():
        new = f"start batchd here once, or set {setting_name(settings, 'inbox')}"
        todo = "mount it or move it back; its batches wait for it" if was_worked(settings) else new
        return [fail("inbox", f"there is no folder {inbox}", todo)]
    try:
        with os.scandir(inbox) as entries:
            waiting = sum(each.is_file(follow_symlinks=False) and not each.name.startswith(".") for each in entries)
    except OSError as error:
        return [fail("inbox", f"{inbox} cannot be read: {error.strerror}", "let this user read, write and enter it")]
    return [
        ok("inbox", f"{inbox.absolute()}, {waiting:,} files waiting"),
        *_claim(inbox),
        _own_folders(inbox),
        _access(inbox),
        _writers(settings),
        *([mount] if (mount := mount_finding("inbox", inbox)) else []),
    ]


def _claim(inbox: Path) -> list[Finding]:
    """Do what a claim does: rename a file into the folder of claimed ones."""
    processing = inbox / PROCESSING
    hidden = inbox / f".doctor-{secrets.token_hex(4)}.tmp"
    moved = (processing if processing.is_dir() else inbox) / f"{hidden.name}.moved"
    try:
        hidden.touch(mode=0o600, exist_ok=False)
        hidden.rename(moved)
        elsewhere = [each for each in FOLDERS if _device(inbox / each) not in {None, inbox.stat().st_dev}]
    except OSError as error:
        todo = advice_on_writing(error, "make .processing a folder of the same file system that this user may write")
        return [fail("claim", f"a file cannot be moved from {inbox} to {moved.parent}: {error.strerror}", todo)]
    finally:
        for each in (hidden, moved):
            with contextlib.suppress(OSError):
                each.unlink()
    if elsewhere:
        found = f"{' and '.join(str(inbox / each) for each in elsewhere)}: another file system than that of {inbox}"
        return [fail("claim", found, "files go there by a rename, which needs one file system")]
    return [ok("claim", "files can be moved within the inbox; same file system")]


def _device(folder: Path) -> int | None:
    with contextlib.suppress(OSError):
        return folder.stat().st_dev
    return None


def _own_folders(inbox: Path) -> Finding:
    blocked = blocked_folder(inbox, FOLDERS)
    if blocked:
        return fail("inbox folders", in_the_way(blocked), "batches that have ended wait to be filed until then")
    try:
        check_own_folders(inbox)
    except OSError as error:
        return fail("inbox folders", f"{error.filename}: {error.strerror}", "no file is taken until then")
    return ok("inbox folders", "nothing stands in their way")


def _access(inbox: Path) -> Finding:
    if problem := cannot_be_claimed(inbox):
        return fail("inbox access", *problem)
    if problem := weakness(inbox):
        return warn("inbox access", *problem)
    who = "senders can touch their own files only" if is_shared(inbox) else "nobody else may write it"
    return ok("inbox access", who)


def _writers(settings: Settings) -> Finding:
    """Warn where a file that another user is still writing could seem whole."""
    inbox = settings.inbox
    hidden = hidden_by()
    if hidden and is_shared(inbox):
        found = f"who still writes a file is seen only where it is this user: {hidden}"
        return warn("writers", found, WHOLE_FILES.format(setting_name(settings, "ready_marker")))
    if hidden:
        return ok("writers", f"those of this user are seen, and no other but root may write the inbox ({hidden})")
    return ok("writers", "whoever still writes a file on this host is seen")
