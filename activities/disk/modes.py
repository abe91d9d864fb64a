"""Who may read what batchd keeps: this user alone."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600

logger = logging.getLogger(__name__)


def restrict(path: Path, mode: int) -> None:
    """Take from `path` what `mode` does not allow, where it belongs to this user; a link is never followed."""
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        now = stat.S_IMODE(found.st_mode)
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode) and now & ~mode:
            path.chmod(now & mode)
            fields = {"path": str(path), "mode": f"{now & mode:o}", "before": f"{now:o}"}
            logger.info("access.restricted", extra={"fields": fields})
