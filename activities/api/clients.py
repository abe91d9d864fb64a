"""The enrichment clients of one worker: one for each API of its configuration, or the one that `BATCH_*` describes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from activities.api.client import EnrichmentClient
from workflows.api_spec import ApiSpec
from workflows.errors import SettingsError

UNNAMED = ""
"""Name of the API that environment variables describe."""


class ApiClients:
    """Clients by the name of their API. An async context manager that opens and closes them all."""

    def __init__(self, clients: Mapping[str, EnrichmentClient]) -> None:
        self._clients = clients
        self._stack = AsyncExitStack()

    def client_of(self, api: ApiSpec | None) -> EnrichmentClient:
        """Return the client of a described API; of the one that environment variables describe where it is None.

        Raises:
            SettingsError: this worker has no such API.
        """
        name = api.name if api else UNNAMED
        try:
            return self._clients[name]
        except KeyError:
            raise SettingsError(_missing(name)) from None

    async def __aenter__(self) -> Self:
        for client in self._clients.values():
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)


def _missing(name: str) -> str:
    if name:
        return f"this worker's configuration has no API '{name}', which the batch was begun with: add [api.{name}]"
    return (
        "the batch was begun without a configuration file, and this worker has one: it ends on a worker that has the "
        "BATCH_API_* variables and no file"
    )
