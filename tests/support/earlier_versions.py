"""The versions that are kept, as they were, to be run beside this one."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

from installation import Installation, Process
from repository import HISTORIES

EARLIER = sorted(each.parent.name for each in HISTORIES.glob("*/batchd-*.tar.xz"))


def batchd_of(earlier: str, site: Installation, folder: Path, **extra: str) -> Process:
    """Start `batchd run` of an earlier version in an installation; its source is unpacked into `folder`."""
    with tarfile.open(HISTORIES / earlier / f"batchd-{earlier}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    command = [sys.executable, "-m", "daemon.main", "run"]
    return site.start("old", command, PYTHONPATH=str(folder), PYTHONSAFEPATH="1", **extra)
