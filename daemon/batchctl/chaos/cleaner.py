"""Cleans up behind a run, whatever ended it: a process of its own, which outlives a `kill -9` of the one it watches.

`python -m daemon.batchctl.chaos.cleaner FOLDER` waits for the end of its standard input, kills what is left of the
installation in that folder, and removes the folder, unless it was told to keep it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from daemon.batchctl.chaos.programs import end_all

KEEP = b"keep"


class Cleaner:
    """The process that cleans up `folder` once `end` is called, or this process is gone."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-P", "-m", "daemon.batchctl.chaos.cleaner", str(folder)]
        self._running = subprocess.Popen(  # noqa: S603 - ours
            command, cwd="/", stdin=subprocess.PIPE, start_new_session=True
        )

    def end(self, *, keep: bool) -> None:
        """Return when no process of the installation is left, nor its folder, unless that is to be kept."""
        self._running.communicate(KEEP if keep else b"")


def main(folder: Path) -> None:
    """Wait, and clean up."""
    is_kept = sys.stdin.buffer.read() == KEEP
    end_all(folder)
    if not is_kept:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
