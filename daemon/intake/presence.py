"""Which folder stands at the path of the inbox, and whether it can be worked: each change is logged once."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from activities.source.inbox import blocked_folder, in_the_way
from activities.workspace import PROCESSING
from daemon.config.settings import Settings
from daemon.intake.observe.entries import FOLDERS
from daemon.intake.observe.file_systems import dates_its_folders
from daemon.intake.observe.inbox_access import check_own_folders
from daemon.intake.sign_of_life import check_inbox

FRESH_NS = 2_000_000_000
"""A folder that changed so lately may change once more within the same tick of its clock."""

logger = logging.getLogger(__name__)


class Presence:
    """What is known of the inbox as a folder. One call at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._inbox = settings.inbox.absolute()
        self.inbox_id: tuple[int, int] | None = None
        self._lost: str | None = None
        self._lost_scans = 0
        self._blocked: Path | None = None
        self._seen_state: tuple[int, ...] | None = None
        self._empty_state: tuple[int, ...] | None = None
        self._is_dated = False

    def is_still_empty(self) -> bool:
        """Return whether nothing was put into the inbox, taken out or replaced since `note_empty`. Blocking.

        The times of change of two folders tell, where the file system has such: hundreds of inboxes in which nothing
        happens are looked at this way.
        """
        if not self._is_dated:
            return False
        try:
            found = [os.stat(each) for each in (self._inbox, self._inbox / PROCESSING)]  # noqa: PTH116 - cheaper
        except OSError:
            self._seen_state = None
            return False
        if time.time_ns() - max(each.st_ctime_ns for each in found) < FRESH_NS:
            self._seen_state = None
            return False
        self._seen_state = tuple(fact for each in found for fact in (each.st_dev, each.st_ino, each.st_ctime_ns))
        return self._seen_state == self._empty_state

    def note_empty(self, *, empty: bool) -> None:
        """Note whether a scan that began with `is_still_empty` has found no file, neither waiting nor claimed."""
        self._empty_state = self._seen_state if empty else None

    def note_folder(self) -> bool:
        """Note which folder stands there now; True where it is another one than last time. Blocking.

        Raises:
            OSError: none does, or only the point where it was mounted.
        """
        check_inbox(self._settings)
        status = os.stat(self._settings.inbox)  # noqa: PTH116 - with the mode beside it
        inbox_id = (status.st_dev, status.st_ino)
        if inbox_id == self.inbox_id:
            return False
        if self.inbox_id is not None:
            why = "another folder stands there now; it is watched from here on"
            logger.warning("inbox.replaced", extra={"fields": {"inbox": str(self._inbox), "why": why}})
        self.inbox_id = inbox_id
        self._is_dated = dates_its_folders(self._inbox)
        return True

    def check_folders(self) -> None:
        """Check batchd's own folders in the inbox. Blocking.

        One that is in the way only keeps files from being filed or set aside; that goes on by itself later.

        Raises:
            OSError: one of them is somebody else's, or the inbox is gone.
        """
        inbox = self._settings.inbox.absolute()
        check_own_folders(inbox)
        blocked = blocked_folder(inbox, FOLDERS)
        if blocked is not None and blocked != self._blocked:
            logger.error("inbox.blocked", extra={"fields": {"path": str(blocked), "why": in_the_way(blocked)}})
        self._blocked = blocked

    def note_lost(self, error: OSError) -> str:
        """Note that a scan found no inbox it could work; return why."""
        why = f"{error.strerror or error}: {os.fsdecode(error.filename or self._settings.inbox)}"
        self._lost_scans += 1
        if self._lost != why:
            self._lost = why
            fields = {
                "inbox": str(self._inbox),
                "why": why,
                "todo": "it is looked for at every rescan",
            }
            logger.error("inbox.lost", extra={"fields": fields})
        return why

    def note_found(self) -> None:
        """Note that a scan has worked."""
        if self._lost is not None:
            fields = {
                "inbox": str(self._inbox),
                "was": self._lost,
                "scans_without": self._lost_scans,
            }
            logger.info("inbox.found", extra={"fields": fields})
            self._lost, self._lost_scans = None, 0
