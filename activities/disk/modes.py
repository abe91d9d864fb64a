"""Who may read what batchd keeps: this user alone, and the group of a folder that hands its group on.

That is a folder with the setgid bit which its group may read and enter (mode 2750): what the kernel makes in it has the
same group, and batchd lets that group read it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_GROUP_READS_FOLDER = stat.S_IRGRP | stat.S_IXGRP

logger = logging.getLogger(__name__)


def folder_mode_in(around: int) -> int:
    """Return the mode of a folder that is made in one of mode `around`."""
    return FOLDER_MODE | (_GROUP_READS_FOLDER if is_for_its_group(around) else 0)


def file_mode_in(around: int) -> int:
    """Return the mode of a file that is made in a folder of mode `around`."""
    return FILE_MODE | (stat.S_IRGRP if is_for_its_group(around) else 0)


def is_for_its_group(folder: int) -> bool:
    """Return whether what is made in a folder of this mode is for the group of that folder too."""
    wanted = stat.S_ISGID | _GROUP_READS_FOLDER
    return folder & wanted == wanted


def restrict(path: Path, mode: int) -> None:
    """Take from `path` what `mode` does not allow, where it belongs to this user; a link is never followed."""
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        now = stat.S_IMODE(found.st_mode)
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode) and now & ~mode:
            path.chmod(now & mode)
            fields = {"path": str(path), "mode": f"{now & mode:o}", "before": f"{now:o}"}
            logger.info("access.restricted", extra={"fields": fields})
