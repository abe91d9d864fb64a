"""What `doctor` can see on this host: settings, inbox, output root, state folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path

from activities.disk.modes import FILE_MODE, FOLDER_MODE
from activities.registry.receipts import Receipts
from daemon.batchctl.checks.disk_steps import PROVEN, disk_trouble
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.batchctl.checks.inbox import inbox_checks
from daemon.batchctl.checks.limits_of_host import open_files_finding, watch_finding
from daemon.batchctl.checks.mounts import mount_finding
from daemon.batchctl.checks.pauses import pause_finding
from daemon.batchctl.console.printing import format_bytes
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.config.settings import PREFIX, Settings
from daemon.control.sockets import PREFIX as SOCKETS
from daemon.control.sockets import SOCKET_MODE
from daemon.intake.sign_of_life import daemon_here, watch_of
from daemon.temporal.outside_server import outside_server
from daemon.temporal.server_record import DATABASE
from workflows.errors import SettingsError

LOW_BYTES = 1_000_000_000
LOW_SHARE = 0.05
LOW_INODES = 10_000
CLEANER_FOLDERS = (Path("/etc/tmpfiles.d"), Path("/run/tmpfiles.d"), Path("/usr/lib/tmpfiles.d"))
CLEANED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - the folders that cleaners clean
ACCESS_PAGE = "docs/security.md, 'Who can do what on this host'"


def host_checks(in_use: SettingsInUse, feeds: Sequence[str]) -> list[Finding]:
    """Check everything on this host, of these feeds. What is written for a test is removed again."""
    settings = [in_use.feeds[each] for each in feeds]
    roots = dict.fromkeys(each.output_root for each in settings)
    return [
        _settings(in_use),
        *(_feed(settings[0]) if len(in_use.feeds) == 1 else [_in_one_line(name, in_use.feeds[name]) for name in feeds]),
        *(finding for root in roots for finding in _output_root(root, several=len(roots) > 1)),
        *_state_dir(in_use.service),
        pause_finding(Receipts(in_use.service.state_dir), feeds),
        open_files_finding(daemon_here(settings[0]), max(each.api_concurrency for each in settings)),
        watch_finding([each.inbox for each in settings]),
    ]


def _feed(settings: Settings) -> list[Finding]:
    return [*inbox_checks(settings), _daemon(settings)]


def _in_one_line(name: str, settings: Settings) -> Finding:
    """Check one of several feeds: what is not well, the worst first, or that all is."""
    findings = _feed(settings)
    troubles = [each for level in ("FAIL", "WARN") for each in findings if each.level == level]
    if not troubles:
        return ok(f"feed {name}", f"{findings[0].found}; a batchd watches it")
    first, *others = troubles
    found = "; ".join([f"{settings.inbox.absolute()}: {first.as_text()}", *(each.as_text() for each in others)])
    return Finding(level=first.level, check=f"feed {name}", found=found)


def _settings(in_use: SettingsInUse) -> Finding:
    changed = sorted(PREFIX + name.upper() for name in in_use.service.model_fields_set)
    if in_use.file:
        return ok("settings", f"{in_use.file.absolute()}: {len(in_use.feeds)} feeds, {len(in_use.apis)} APIs")
    return ok("settings", f"{len(changed)} set: {', '.join(changed)}" if changed else "all defaults")


def _daemon(settings: Settings) -> Finding:
    """Check for the daemon that works the inbox, and for its sign of life."""
    watch = watch_of(settings)
    if watch.trouble:
        return fail("daemon", watch.why, watch.todo)
    return ok("daemon", watch.why) if watch.attendance == "watched" else warn("daemon", watch.why, watch.todo)


def _output_root(root: Path, *, several: bool = False) -> list[Finding]:
    findings = _checked_root(root)
    if not several or any(each.level != "OK" for each in findings):
        return findings
    return [ok("output root", f"{root.absolute()}, {findings[1].found.partition(' at ')[0]}")]


def _checked_root(root: Path) -> list[Finding]:
    if not root.is_dir():
        return [fail("output root", f"there is no folder {root}", "make it, or set BATCH_OUTPUT_ROOT")]
    trouble = disk_trouble("output root", root)
    if trouble and trouble.level == "FAIL":
        return [trouble]
    proven = trouble or ok("output root", f"{root.absolute()}: {PROVEN}")
    return [proven, *_space("free space", root), *_mount("output root", root), *_cleaner(root)]


def _mount(role: str, folder: Path) -> list[Finding]:
    found = mount_finding(role, folder)
    return [found] if found else []


def _state_dir(settings: Settings) -> list[Finding]:
    state_dir = settings.state_dir
    if not state_dir.is_dir():
        return [
            fail("state folder", f"there is no folder {state_dir}", "start batchd here once, or set BATCH_STATE_DIR")
        ]
    trouble = disk_trouble("state folder", state_dir)
    if trouble and trouble.level == "FAIL":
        return [trouble]
    return [
        trouble or ok("state folder", f"{state_dir.absolute()}: {PROVEN}"),
        *_space("state space", state_dir),
        *_mount("state folder", state_dir),
        *_state_access(state_dir),
        *_server_access(settings),
    ]


def _state_access(state_dir: Path) -> list[Finding]:
    try:
        modes = [(state_dir, FOLDER_MODE, stat.S_IMODE(state_dir.stat().st_mode))]
        modes += [(each, FILE_MODE, stat.S_IMODE(each.lstat().st_mode)) for each in state_dir.glob(f"{DATABASE}*")]
        modes += [(each, SOCKET_MODE, stat.S_IMODE(each.lstat().st_mode)) for each in state_dir.glob(f"{SOCKETS}*")]
    except OSError as error:
        return [fail("state access", f"{error.filename} cannot be looked at: {error.strerror}", "run this as its user")]
    open_ones = [(path, wanted, mode) for path, wanted, mode in modes if mode & ~wanted]
    if open_ones:
        found = ", ".join(f"{path} (mode {mode:04o})" for path, _, mode in open_ones)
        todo = "; ".join(f"chmod {wanted:04o} {path}" for path, wanted, _ in open_ones)
        return [warn("state access", f"other users may get at {found}", todo)]
    return [ok("state access", ", ".join(f"{path.name} {mode:04o}" for path, _, mode in sorted(modes)))]


def _server_access(settings: Settings) -> list[Finding]:
    """Warn of what the embedded server leaves open. One from outside has rules of its own."""
    try:
        if outside_server() is not None:
            return []
    except SettingsError:
        return []  # the check of Temporal names it
    page = f" (web page: port {settings.server_ui_port})" if settings.server_ui_port else ""
    local = not page or ip_address(settings.server_ui_ip).is_loopback
    whoever = "any user of this host" if local else "whoever reaches the web page, and any user of this host,"
    found = f"{whoever} can see and steer every batch: the embedded server{page} asks nobody who they are"
    return [warn("server access", found, f"where that matters, see {ACCESS_PAGE}")]


def _space(check: str, folder: Path) -> list[Finding]:
    usage = shutil.disk_usage(folder)
    inodes = os.statvfs(folder)
    found = f"{format_bytes(usage.free)} free of {format_bytes(usage.total)} at {folder.absolute()}"
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
