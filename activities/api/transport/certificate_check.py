"""Was a connection reset because the API refuses our certificate, or misses it?

In TLS 1.3 the API looks at our certificate when we take the handshake for done. It sends an alert and closes; where it
closes before it has read the call, the system resets the connection, and the alert is lost as soon as we write. So a
connection is opened on which nothing is written: there the alert arrives.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable

from activities.api.transport.base import NoAnswer
from activities.api.transport.headers import Origin
from activities.api.transport.replies import is_about_a_certificate

LISTEN_S = 1.0
"""Whoever accepts the certificate says nothing in this time."""

VALID_S = 5.0
"""For so long what was found counts for other connections too."""


class CertificateCheck:
    """Looks at most once in `VALID_S` seconds; what ends meanwhile waits for what is found."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext) -> None:
        self._origin = origin
        self._tls = tls
        self._looking: asyncio.Task[ssl.SSLError | None] | None = None
        self._found_at = 0.0

    def explain(self, outcome: NoAnswer, explained: Callable[[NoAnswer], None]) -> None:
        """Hand on `outcome`, or in its place the alert that explains it."""
        if self._looking is None or (self._looking.done() and self._found_at < time.perf_counter() - VALID_S):
            self._looking = asyncio.get_running_loop().create_task(self._look())

        def found(look: asyncio.Task[ssl.SSLError | None]) -> None:
            if not look.cancelled():
                alert = None if look.exception() else look.result()
                explained(NoAnswer(alert) if alert else outcome)

        self._looking.add_done_callback(found)

    def close(self) -> None:
        """Look no further; whoever waits for it is not called."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> ssl.SSLError | None:
        try:
            async with asyncio.timeout(LISTEN_S):
                reader, writer = await asyncio.open_connection(self._origin.host, self._origin.port, ssl=self._tls)
                try:
                    await reader.read(1)
                finally:
                    writer.transport.abort()
        except ssl.SSLError as error:
            return error if is_about_a_certificate(error) else None
        except (OSError, TimeoutError):
            return None
        finally:
            self._found_at = time.perf_counter()
        return None
