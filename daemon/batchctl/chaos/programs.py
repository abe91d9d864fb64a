"""Programs of the installation as processes: apart from the terminal, and found whoever's children they are."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from daemon.batchctl.chaos.site import Site, mark_of
from daemon.processes.listeners import command_of
from daemon.temporal.server_record import running_server

LOOK_S = 0.02


class Program:
    """A module of ours that runs. It ends with this process: its standard input is a pipe from here."""

    def __init__(self, site: Site, log: str, module: str, *arguments: str, **variables: str) -> None:
        self.log = site.root / log
        # Without -P the current folder would come first on the path, and a folder `daemon` in it before ours.
        command = [sys.executable, "-P", "-m", module, *arguments, "--exit-with-parent"]
        with self.log.open("wb") as out:
            self._running = subprocess.Popen(  # noqa: S603 - ours
                command,
                env=site.environment(**variables),
                cwd=site.root,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # or Ctrl-C would reach it too
            )
        self.pid = self._running.pid

    def ended(self) -> bool:
        """Return whether the process is gone."""
        return self._running.poll() is not None

    def has_said(self, words: bytes) -> bool:
        """Return whether the log has these words."""
        return words in self.log.read_bytes()

    def last_words(self) -> str:
        """Return the last line of the log, or why that says that it did not start."""
        line = next(reversed(self.log.read_text(errors="replace").splitlines()), "it said nothing")
        try:
            return str(json.loads(line)["why"])
        except (ValueError, KeyError, TypeError):
            return line

    def terminate(self, timeout_s: float) -> None:
        """Ask the process to end, and wait for that so long."""
        self._running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running.wait(timeout_s)


def pids_of(root: Path) -> Iterator[int]:
    """Yield every process of the installation in `root`, children of children and the orphaned ones too."""
    mark = os.fsencode("=".join(mark_of(root)))
    for each in os.listdir("/proc"):  # noqa: PTH208 - a pseudo folder
        if each.isdigit():
            with contextlib.suppress(OSError):  # gone, or another user's
                if mark in Path("/proc", each, "environ").read_bytes().split(b"\0"):
                    yield int(each)


def workers_of(site: Site) -> list[int]:
    """Return the worker processes of the installation."""
    return [each for each in pids_of(site.root) if "--process-of" in command_of(each)]


def server_of(site: Site) -> list[int]:
    """Return the Temporal server of the installation where it runs."""
    server = running_server(site.state_dir)
    return [server.pid] if server else []


def send(pid: int, what: signal.Signals) -> None:
    """Send a signal; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def end_all(root: Path, *own: Program | None) -> None:
    """Kill every process of the installation in `root`, and return when none is left.

    `own` are those that this process has started.
    """
    while left := list(pids_of(root)):
        for each in left:
            send(each, signal.SIGKILL)
        time.sleep(LOOK_S)
        for program in own:
            if program is not None:
                program.ended()
