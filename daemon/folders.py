"""The folders a service needs: made where they are missing, and those of the state closed to other users."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from activities.disk.modes import FOLDER_MODE, restrict
from activities.source.inbox import blocked_folder, in_the_way, make_in
from daemon.config.configuration import Configuration
from daemon.config.feed_settings import setting_name
from daemon.config.findings import Finding
from daemon.config.settings import Settings
from daemon.intake.observe.entries import FOLDERS
from daemon.intake.observe.inbox_access import WRITABLE_BY_OTHERS, check_own_folders, is_shared, weakness
from daemon.intake.sign_of_life import was_worked
from daemon.temporal.server_record import DATABASE
from workflows.errors import SettingsError

logger = logging.getLogger(__name__)


def prepare_folders(service: Settings, feeds: Mapping[str, Settings], *, makes_inbox: bool = True) -> None:
    """Make the state folder, and `prepare_inbox` of each feed.

    Raises:
        SettingsError: one of them cannot be made or used, or something else stands there; or there is no output root.
    """
    for settings in feeds.values():
        prepare_inbox(settings, makes=makes_inbox)
    _make("BATCH_STATE_DIR", service.state_dir, FOLDER_MODE)
    if _is_ours(service.state_dir):
        restrict(service.state_dir, FOLDER_MODE)


def prepare_inbox(settings: Settings, *, makes: bool = True) -> None:
    """Make the inbox of a feed and batchd's own folders in it where they are missing.

    An inbox that was worked before, or is only to be read, is not made: it may have to be mounted or moved back first,
    and batches wait for it.

    Raises:
        SettingsError: one of them cannot be made or used, or something else stands there; or there is no output root.
    """
    key = setting_name(settings, "inbox")
    if settings.inbox.exists() or (makes and not was_worked(settings)):
        _make(key, settings.inbox, 0o777)
        if settings.inbox.is_dir():
            _prepare_own(key, settings.inbox.absolute(), makes=makes)
    elif not makes:  # whoever watches it says so at every start
        fields = {"inbox": str(settings.inbox.absolute()), "why": "it is not there", "todo": "batches wait for it"}
        logger.error("inbox.lost", extra={"fields": fields})
    if not settings.output_root.is_dir():
        raise SettingsError(
            f"{setting_name(settings, 'output_root')}: there is no folder {settings.output_root}; make it first"
        )


def _make(key: str, folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{key}: the folder {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise SettingsError(f"{key}: the folder {folder} must be readable and writable for this user")


def _prepare_own(key: str, inbox: Path, *, makes: bool) -> None:
    blocked = blocked_folder(inbox, FOLDERS)
    if blocked:
        raise SettingsError(f"{key}: {in_the_way(blocked)}")
    try:
        check_own_folders(inbox)
    except PermissionError as error:
        raise SettingsError(f"{key}: {error.filename}: {error.strerror}") from error
    for folder in (inbox / name for name in FOLDERS):
        if makes:
            try:
                make_in(inbox, folder.name)
            except OSError as error:
                raise SettingsError(f"{key}: the folder {folder} cannot be made: {error.strerror}") from error
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise SettingsError(f"{key}: the folder {folder} must be readable and writable for this user")
        if makes and is_shared(inbox):  # a volume may give a group the right to write all that is in it at each mount
            with contextlib.suppress(
                PermissionError
            ):  # RestrictSUIDSGID= forbids it to a folder that hands on its group
                restrict(folder, ~WRITABLE_BY_OTHERS)
    if makes and (weak := weakness(inbox)):
        logger.warning("inbox.unprotected", extra={"fields": {"why": weak[0], "todo": weak[1]}})


def _is_ours(state_dir: Path) -> bool:
    """Return whether a folder is there for our state alone: one that others share, such as /tmp, stays as it is."""
    if state_dir.stat().st_mode & stat.S_ISVTX:
        return False
    names = {each.name for each in state_dir.iterdir()}
    return not names or bool(names & {"receipts", DATABASE})


def check_inboxes(new: Configuration) -> list[Finding]:
    """Return a finding for each feed whose folders cannot be used; those that are missing are made."""
    findings = []
    for name, settings in new.settings_by_feed().items():
        try:
            prepare_inbox(settings)
        except SettingsError as error:
            line = new.file.line_of(("feed", name, "inbox")) if new.file else 0
            findings.append(Finding(file=new.file.name if new.file else "", line=line, key="", what=str(error)))
    return findings
