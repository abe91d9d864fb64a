"""What `doctor` says of what the kernel lets a service have: open files, and watches of folders."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
from collections.abc import Sequence
from pathlib import Path

from daemon.batchctl.checks.findings import Finding, ok, warn

SPARE_FILES = 512
"""Beside two connections for each call in flight: chunks, journals, the server's, what libraries open."""

IN_CREATE = 0x100
WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
CAUSES = {
    errno.EMFILE: ("this user has as many inotify instances as it may", "raise fs.inotify.max_user_instances"),
    errno.ENOSPC: ("this user watches as many folders as it may", "raise fs.inotify.max_user_watches"),
}


def open_files_finding(pid: int | None, concurrency: int) -> Finding:
    """Return whether a service that makes so many calls at once may open enough files; `pid` None: as started here."""
    most = _most_open_files(pid)
    needed = 2 * concurrency + SPARE_FILES
    whose = f"process {pid}" if pid is not None and most is not None else "a service started from this shell"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if most is None else most
    found = f"{whose} may open {most:,}" if most != resource.RLIM_INFINITY else f"{whose} may open any number"
    if most != resource.RLIM_INFINITY and most < needed:
        todo = f"allow {needed:,}: LimitNOFILE= of the unit, or ulimit -n"
        return warn("open files", f"{found}, and {concurrency:,} calls at once may need {needed:,}", todo)
    return ok("open files", found)


def watch_finding(inboxes: Sequence[Path]) -> Finding:
    """Watch the inboxes for a moment, as a service of this user would, and say whether the kernel lets it."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    trouble = 0 if fd >= 0 else ctypes.get_errno()
    try:
        for each in inboxes if fd >= 0 else ():
            if each.is_dir() and libc.inotify_add_watch(fd, os.fsencode(each), IN_CREATE) < 0:
                trouble = trouble or ctypes.get_errno()
    finally:
        if fd >= 0:
            os.close(fd)
    if not trouble:
        return ok("watches", f"inboxes can be watched; a user may watch {_most_watches()} folders")
    why, todo = CAUSES.get(trouble, (os.strerror(trouble), "see whether the file system knows inotify"))
    return warn("watches", f"inboxes cannot be watched: {why}", f"{todo}; files are found by rescans meanwhile")


def _most_open_files(pid: int | None) -> int | None:
    try:
        found = re.search(r"^Max open files +(\d+|unlimited)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)
    except OSError:
        return None
    if found is None:
        return None
    return resource.RLIM_INFINITY if found[1] == "unlimited" else int(found[1])


def _most_watches() -> str:
    try:
        return f"{int(WATCHES.read_text()):,}"
    except (OSError, ValueError):
        return "any number of"
