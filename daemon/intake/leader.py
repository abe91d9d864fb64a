"""One daemon works an inbox; others stand by on a lock that the kernel drops when the first one dies."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from activities.disk.file_lock import FileLock, is_locked
from activities.source.inbox import make_in
from activities.workspace import PROCESSING

LOCK = ".lock"

logger = logging.getLogger(__name__)


class Leadership:
    """The right to work one inbox, for all feeds of this process that have it. Safe to use from many threads."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox.absolute()
        self._lock = FileLock(self._inbox / PROCESSING / LOCK, warn_unlocked=_warn_unlocked)
        self._alone = threading.Lock()

    def holds(self) -> bool:
        """Return whether this process leads, and try to where it does not. A lock in a folder that is gone is none.

        Raises:
            OSError: the inbox is missing or cannot be written.
        """
        with self._alone:
            if self._lock.held and not self._lock.is_in_place():
                self._lock.release()
            if not self._lock.held:
                make_in(self._inbox, PROCESSING)
            return self._lock.acquire()

    def release(self) -> None:
        """Let another one lead; a second call does nothing."""
        with self._alone:
            self._lock.release()


def is_watched(inbox: Path) -> bool | None:
    """Return whether a daemon leads on this inbox; None where that cannot be seen."""
    return is_locked(inbox / PROCESSING / LOCK)


def _warn_unlocked() -> None:
    why = "this file system has no locks; let one batchd alone watch this inbox: of two, one may add a copy to a claim"
    logger.warning("inbox.unlocked", extra={"fields": {"why": why}})
