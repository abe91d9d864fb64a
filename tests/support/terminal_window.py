"""Runs batchctl in a terminal of any width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

BATCHCTL = Path(sys.executable).parent / "batchctl"
STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_window(columns: int, *arguments: str) -> tuple[int, list[str], str]:
    """Run batchctl with a terminal of so many columns; return exit code, lines without styles, standard error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    # Readline, which pytest loads, sets COLUMNS behind the back of `os.environ`; whoever runs the tests may have, too.
    environ = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    command = [BATCHCTL, *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, text=True, env=environ) as running:
        os.close(theirs)
        out = _all_of(ours)
        assert running.stderr
        err = running.stderr.read()
    os.close(ours)
    return running.returncode, [STYLES.sub("", each) for each in re.split(r"[\r\n]+", out)], err


def _all_of(fd: int) -> str:
    found = b""
    try:
        while block := os.read(fd, 65_536):
            found += block
    except OSError:  # how Linux says that the other end is closed
        pass
    return found.decode()
