"""What `doctor` can see of who else on this host has a hand in the service: its Temporal server and its state."""

from __future__ import annotations

import stat
from pathlib import Path

from activities.disk.modes import FILE_MODE, FOLDER_MODE
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.config.settings import Settings
from daemon.temporal.outside_server import outside_server
from daemon.temporal.server_record import DATABASE
from workflows.errors import SettingsError

PAGE = "docs/operations.md, 'Who can do what on this host'"


def access_checks(settings: Settings) -> list[Finding]:
    """Look at the modes of what is kept, and at whether the Temporal server asks who one is."""
    return [*_state_access(settings.state_dir), *_server_access(settings)]


def _state_access(state_dir: Path) -> list[Finding]:
    try:
        modes = [(state_dir, FOLDER_MODE, stat.S_IMODE(state_dir.stat().st_mode))]
        modes += [(each, FILE_MODE, stat.S_IMODE(each.lstat().st_mode)) for each in state_dir.glob(f"{DATABASE}*")]
    except OSError as error:
        return [fail("state access", f"{error.filename} cannot be looked at: {error.strerror}", "run this as its user")]
    open_ones = [(path, wanted, mode) for path, wanted, mode in modes if mode & ~wanted]
    if open_ones:
        found = ", ".join(f"{path} has mode {mode:04o}" for path, _, mode in open_ones)
        todo = "; ".join(f"chmod {wanted:04o} {path}" for path, wanted, _ in open_ones)
        return [warn("state access", f"other users may get at {found}", todo)]
    return [ok("state access", ", ".join(f"{path.name} {mode:04o}" for path, _, mode in sorted(modes)))]


def _server_access(settings: Settings) -> list[Finding]:
    """Say what the embedded server leaves open. One from outside has rules of its own."""
    try:
        if outside_server() is not None:
            return []
    except SettingsError:
        return []  # the check of Temporal names it
    page = f" (web page: port {settings.server_ui_port})" if settings.server_ui_port else ""
    found = f"any user of this host can see and steer every batch: the embedded server{page} asks nobody who they are"
    return [warn("server access", found, f"where that matters, see {PAGE}")]
