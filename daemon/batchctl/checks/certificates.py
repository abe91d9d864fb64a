"""How long the certificates of APIs are still valid."""

from __future__ import annotations

import asyncio
import ssl
import time

from activities.api.transport.headers import Origin

SOON_DAYS = 21
"""Some authorities renew a month before the end; what is nearer was forgotten, most likely."""
DAY_S = 86_400.0


async def days_left(origin: Origin, context: ssl.SSLContext, *, timeout_s: float) -> float | None:
    """Return for how many days the certificate of a server is still valid; None where none could be seen.

    Nothing is sent but the handshake. One that is not accepted is for the check that calls the API to name.
    """
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(origin.host, origin.port, ssl=context)
    except (OSError, TimeoutError):
        return None
    try:
        shown = writer.get_extra_info("peercert") or {}
    finally:
        writer.transport.abort()
    return (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / DAY_S if "notAfter" in shown else None
