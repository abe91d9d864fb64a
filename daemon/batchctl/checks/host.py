"""What `doctor` can see on this host: settings, inbox, output root, state folder."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from activities.workspace import PROCESSING
from daemon.batchctl.checks.access import access_checks
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.batchctl.checks.inbox import inbox_checks
from daemon.batchctl.console.printing import shown_bytes
from daemon.config.settings import PREFIX, Settings
from daemon.intake.sign_of_life import was_worked, watch_of

LOW_BYTES = 1_000_000_000
LOW_SHARE = 0.05
LOW_INODES = 10_000
CLEANER_FOLDERS = (Path("/etc/tmpfiles.d"), Path("/run/tmpfiles.d"), Path("/usr/lib/tmpfiles.d"))
CLEANED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - the folders that cleaners clean


def host_checks(settings: Settings) -> list[Finding]:
    """Look at everything on this host. What is written for a test is removed again."""
    return [
        _settings(settings),
        *_inbox(settings),
        _daemon(settings),
        *_output_root(settings.output_root),
        *_state_dir(settings),
    ]


def _settings(settings: Settings) -> Finding:
    changed = sorted(PREFIX + name.upper() for name in settings.model_fields_set)
    return ok("settings", f"{len(changed)} set: {', '.join(changed)}" if changed else "all defaults")


def _inbox(settings: Settings) -> list[Finding]:
    inbox = settings.inbox
    if not inbox.is_dir():
        new = "start batchd here once, or set BATCH_INBOX"
        todo = "mount it or move it back; its batches wait for it" if was_worked(settings) else new
        return [fail("inbox", f"there is no folder {inbox}", todo)]
    try:
        with os.scandir(inbox) as entries:
            waiting = sum(each.is_file(follow_symlinks=False) and not each.name.startswith(".") for each in entries)
    except OSError as error:
        return [fail("inbox", f"{inbox} cannot be read: {error.strerror}", "let this user read, write and enter it")]
    return [ok("inbox", f"{inbox.absolute()}, {waiting:,} files waiting"), *_claim(inbox), *inbox_checks(inbox)]


def _claim(inbox: Path) -> list[Finding]:
    """Do what a claim does: rename a file into the folder of claimed ones."""
    processing = inbox / PROCESSING
    hidden = inbox / f".doctor-{secrets.token_hex(4)}.tmp"
    moved = (processing if processing.is_dir() else inbox) / f"{hidden.name}.moved"
    try:
        hidden.touch(mode=0o600, exist_ok=False)
        hidden.rename(moved)
    except OSError as error:
        todo = _mend(error, "make .processing a folder of the same file system that this user may write")
        return [fail("claim", f"a file cannot be moved from {inbox} to {moved.parent}: {error.strerror}", todo)]
    finally:
        for each in (hidden, moved):
            with contextlib.suppress(OSError):
                each.unlink()
    return [ok("claim", "files can be moved within the inbox; same file system")]


def _daemon(settings: Settings) -> Finding:
    """Look for the daemon that works the inbox, and for its sign of life."""
    watch = watch_of(settings)
    if watch.trouble:
        return fail("daemon", watch.why, watch.todo)
    return ok("daemon", watch.why) if watch.attendance == "watched" else warn("daemon", watch.why, watch.todo)


def _output_root(root: Path) -> list[Finding]:
    if not root.is_dir():
        return [fail("output root", f"there is no folder {root}", "make it, or set BATCH_OUTPUT_ROOT")]
    if problem := _not_writable("output root", root):
        return [problem]
    return [ok("output root", str(root.absolute())), *_space("free space", root), *_cleaner(root)]


def _state_dir(settings: Settings) -> list[Finding]:
    state_dir = settings.state_dir
    if not state_dir.is_dir():
        return [
            fail("state folder", f"there is no folder {state_dir}", "start batchd here once, or set BATCH_STATE_DIR")
        ]
    if problem := _not_writable("state folder", state_dir):
        return [problem]
    return [ok("state folder", str(state_dir.absolute())), *_space("state space", state_dir), *access_checks(settings)]


def _not_writable(check: str, folder: Path) -> Finding | None:
    probe = folder / f".doctor-{secrets.token_hex(4)}.tmp"
    try:
        probe.write_bytes(b"x")
    except OSError as error:
        return fail(check, f"{folder} cannot be written: {error.strerror}", _mend(error, "let this user write it"))
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return None


def _mend(error: OSError, otherwise: str) -> str:
    """Return what to do about a folder that cannot be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room on its disk, in bytes and inodes; batches wait until there is"
    return "mount it writable" if error.errno == errno.EROFS else otherwise


def _space(check: str, folder: Path) -> list[Finding]:
    usage = shutil.disk_usage(folder)
    inodes = os.statvfs(folder)
    found = f"{shown_bytes(usage.free)} free of {shown_bytes(usage.total)} at {folder.absolute()}"
    if usage.free < LOW_BYTES or usage.free < LOW_SHARE * usage.total:
        return [warn(check, found, "make room; a batch that finds none waits until there is")]
    if inodes.f_files and inodes.f_favail < LOW_INODES:
        return [warn(check, f"{inodes.f_favail:,} inodes free at {folder.absolute()}", "make room for more files")]
    return [ok(check, found)]


def _cleaner(root: Path) -> list[Finding]:
    """Warn where the host's cleaner of temporary files would age the output out, one file at a time."""
    absolute = root.resolve()
    if not any(absolute == each or each in absolute.parents for each in CLEANED):
        return []
    rules = list(_cleaner_rules())
    if any(kind.startswith(("x", "X")) and "batch-" in path for kind, path, _ in rules):
        return [ok("cleaner", f"batch-* folders under {absolute} are left alone by systemd-tmpfiles")]
    ages = [age for _, path, age in rules if path in {str(each) for each in CLEANED} and age not in {"", "-"}]
    if not ages:
        return []
    todo = "set BATCH_OUTPUT_ROOT to a lasting folder, or exclude batch-* as deploy/ shows"
    return [warn("cleaner", f"systemd-tmpfiles removes files under {absolute} after {ages[0]}", todo)]


def _cleaner_rules() -> Iterable[tuple[str, str, str]]:
    """Yield type, path and age of every rule; a file overrides one of the same name in a later folder."""
    seen: set[str] = set()
    for folder in CLEANER_FOLDERS:
        for file in sorted(folder.glob("*.conf")):
            if file.name in seen:
                continue
            seen.add(file.name)
            with contextlib.suppress(OSError, UnicodeDecodeError):
                for line in file.read_text().splitlines():
                    fields = line.split()
                    if len(fields) > 1 and not line.startswith("#"):
                        yield fields[0], fields[1], fields[5] if len(fields) > 5 else ""  # noqa: PLR2004 - tmpfiles.d(5)
