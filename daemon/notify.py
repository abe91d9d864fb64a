"""Telling systemd how the service is (sd_notify(3)); silent where nobody asked."""

from __future__ import annotations

import logging
import os
import socket

logger = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send `state`, such as `READY=1`, to the socket that systemd named; one that cannot be written is logged."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.sendall(state.encode())
    except OSError as error:
        fields = {"state": state, "socket": address, "error": error.strerror or str(error)}
        logger.warning("notify.failed", extra={"fields": fields})
