"""`batchd run` as systemd keeps it: started again a moment after it has ended, however it ended."""

from __future__ import annotations

import time

from daemon.batchctl.chaos.programs import Program, server_of, workers_of
from daemon.batchctl.chaos.site import Site
from daemon.processes.listeners import is_taken
from workflows.errors import BatchdError

RESTART_S = 0.5
STOP_S = 20.0
READY = b'"daemon.ready"'


class ChaosFailed(BatchdError):
    """It cannot go on; the message says why."""


class KeptService:
    """The daemon with its children. `look` has to be called all the time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._starts = 0
        self._ended_at: float | None = None
        self.program = self._start()

    def look(self) -> None:
        """Start the daemon where it is due.

        Raises:
            ChaosFailed: it has ended before it was ever ready.
        """
        if not self.program.ended():
            return
        if self._starts == 1 and not self.program.has_said(READY):
            raise ChaosFailed(f"batchd did not start: {self.program.last_words()}")
        if self._ended_at is None:
            self._ended_at = time.monotonic()
        if time.monotonic() - self._ended_at >= RESTART_S:
            self.program = self._start()
            self._ended_at = None

    def is_whole(self, dead: frozenset[int] = frozenset()) -> bool:
        """Return whether daemon, worker and server run and are ready; none of them is one of the `dead`."""
        if self.program.ended() or not self.program.has_said(READY):
            return False
        server, workers = server_of(self._site), workers_of(self._site)
        return (
            bool(server and workers)
            and not dead & {self.program.pid, *server, *workers}
            and is_taken(self._site.server_port)
        )

    def stop(self) -> None:
        """Let it end of its own accord; what does not is killed by whoever cleans up."""
        self.program.terminate(STOP_S)

    def _start(self) -> Program:
        self._starts += 1
        return Program(self._site, f"batchd-{self._starts}.log", "daemon.main", "run")
