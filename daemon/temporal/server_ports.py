"""The ports of the embedded server: who has them, and whether a Temporal server answers there."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from daemon.processes.listeners import LOOPBACK, is_taken, listener_on
from daemon.temporal.server_record import DATABASE, served_database
from workflows.errors import SettingsError, shortened

PROBE_S = 1.0


async def refuse_taken_ports(port: int, ui_port: int) -> None:
    """Refuse ports that somebody listens on; a `ui_port` of 0 is none.

    Raises:
        SettingsError: the message names who, and what to set.
    """
    for setting, each in (("BATCH_SERVER_PORT", port), ("BATCH_SERVER_UI_PORT", ui_port)):
        if each and is_taken(each):
            raise SettingsError(await _taken(setting, each))


async def temporal_answers(port: int) -> bool:
    """Return whether a Temporal server answers on `port`."""
    if not is_taken(port):
        return False
    try:
        client = await Client.connect(f"{LOOPBACK}:{port}", lazy=True)
        return await client.service_client.check_health(timeout=timedelta(seconds=PROBE_S))
    except (RuntimeError, RPCError):
        return False


async def _taken(setting: str, port: int) -> str:
    """Say who listens on the port of `setting`, and what to set."""
    listener = listener_on(port)
    command = listener.command if listener else ()
    process = f"pid {listener.pid}" if listener else "a process of another user"
    database = served_database(command)
    if database and database.name == DATABASE:
        return (
            f"port {port} is taken by the Temporal server of another installation ({process}, state folder "
            f"{database.parent}); set BATCH_SERVER_PORT and BATCH_SERVER_UI_PORT to free ports to run beside it"
        )
    if await temporal_answers(port):
        return (
            f"port {port} is taken by a Temporal server that this batchd did not start ({process}); to use it set "
            f"TEMPORAL_ADDRESS={LOOPBACK}:{port}, to run beside it set BATCH_SERVER_PORT and BATCH_SERVER_UI_PORT"
        )
    return (
        f"port {port} is taken by something that is not a Temporal server ({process}: "
        f"{shortened(' '.join(command), 80) or 'unknown'}); stop it, or set {setting} "
        f"(find it with: ss -ltnp 'sport = :{port}')"
    )
