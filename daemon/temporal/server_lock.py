"""One daemon of a state folder runs the embedded server; others use it, and stand by on a lock that dies with it."""

from __future__ import annotations

import logging
from pathlib import Path

from activities.disk.file_lock import FileLock

LOCK = "server.lock"

logger = logging.getLogger(__name__)


def server_lock(state_dir: Path) -> FileLock:
    """Return the lock whose holder may start and stop the embedded server of a state folder."""

    def warn_unlocked() -> None:
        why = "the file system of the state folder has no locks; let only one 'batchd run' use it"
        logger.warning("server.unlocked", extra={"fields": {"state_dir": str(state_dir), "why": why}})

    return FileLock(state_dir / LOCK, warn_unlocked=warn_unlocked)
