"""Telling systemd how the service is (sd_notify(3)); silent where nobody asked."""

from __future__ import annotations

import logging
import os
import socket

from daemon.config.settings import Settings

CHANGES = ("READY=", "RELOADING=", "STOPPING=")
LONGEST_WAIT_S = 10.0
"""systemd reads nothing while it loads its own units anew, which takes seconds on a large host."""

START_STEPS = 3
"""The server, the connection to it and the workers may each take the start timeout."""
OTHER_S = 30.0
"""For what has no timeout of its own: the first scan; and at the stop, the server."""

logger = logging.getLogger(__name__)


def notify(state: str, *, level: int = logging.WARNING) -> bool:
    """Send `state`, such as `READY=1`, to the socket that systemd named; one that cannot be written is logged.

    Where systemd does not read, a change of the state is waited with for a while, and a sign or a status is dropped.
    Returns whether there is somebody who reads, now or later.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(LONGEST_WAIT_S if state.startswith(CHANGES) else 0)
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall(state.encode())
    except BlockingIOError:
        logger.debug("notify.dropped", extra={"fields": {"state": state}})
    except OSError as error:
        fields = {"state": state, "socket": address, "error": error.strerror or str(error)}
        logger.log(level, "notify.failed", extra={"fields": fields})
        return False
    return True


def starting(settings: Settings) -> None:
    """Let systemd wait as long as the settings let a start take, where the unit says less."""
    notify(f"STATUS=starting\nEXTEND_TIMEOUT_USEC={_usec(START_STEPS * settings.start_timeout_s + OTHER_S)}")


def stopping(settings: Settings) -> None:
    """Say that the service stops, which may take as long as the settings say, where the unit says less."""
    status = "stopping: calls in flight are finished"
    notify(f"STOPPING=1\nSTATUS={status}\nEXTEND_TIMEOUT_USEC={_usec(settings.stop_timeout_s + OTHER_S)}")


def _usec(seconds: float) -> int:
    return int(seconds * 1_000_000)
