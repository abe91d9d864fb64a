"""The enrichment clients of one worker: one for each API of its configuration, or the one that `BATCH_*` describes.

A new configuration takes hold while pages run: see `apply`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from activities.api.calls.described_calls import ApiAccess
from activities.api.client import EnrichmentClient
from activities.api.quota.quota import Quota
from activities.api.session import Session
from workflows.api_spec import ApiSpec
from workflows.errors import SettingsError

UNNAMED = ""
"""Name of the API that environment variables describe."""


class ConfiguredApi(NamedTuple):
    """What a described API is called with."""

    access: ApiAccess
    quota: Quota | None


NewClient = Callable[[str, ConfiguredApi], EnrichmentClient]


def new_client_of(api: ConfiguredApi) -> EnrichmentClient:
    """Return a client of an API that no other process of the service calls."""
    return EnrichmentClient(api.access, quota=api.quota)


class ApiClients:
    """Clients by the name of their API. An async context manager that closes them all."""

    def __init__(
        self, clients: Mapping[str, EnrichmentClient], new_client: NewClient = lambda _, api: new_client_of(api)
    ) -> None:
        """Begin with `clients`; `new_client` makes one for an API that comes later, by its name."""
        self._clients = dict(clients)
        self._new_client = new_client
        self._users = Counter[EnrichmentClient]()
        self._gone: dict[EnrichmentClient, str] = {}
        """Clients whose API went and that pages still use, with its name."""
        self._closing: set[asyncio.Task[None]] = set()

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

    @contextlib.contextmanager
    def used(self, api: ApiSpec | None) -> Iterator[EnrichmentClient]:
        """Return the client of an API as `client_of` does; it is not closed before the block ends."""
        client = self.client_of(api)
        self._users[client] += 1
        try:
            yield client
        finally:
            self._users[client] -= 1
            if not self._users[client]:
                del self._users[client]
                self._close_gone()

    def sessions(self) -> list[tuple[str, Session]]:
        """Return the name and the session of each API, also of one that went while pages still use it."""
        gone = [(name, client.session) for client, name in self._gone.items()]
        return [*((name, client.session) for name, client in self._clients.items()), *gone]

    async def apply(self, apis: Mapping[str, ConfiguredApi]) -> None:
        """Have a client for each of `apis`: calls by what they say from the next one on.

        Clients of APIs that stayed keep what they know of them. Those of APIs that went are closed once no page uses
        them.
        """
        for name in self._clients.keys() - apis.keys():
            self._gone[self._clients.pop(name)] = name
        self._close_gone()
        for name, api in apis.items():
            if name in self._clients:
                await self._clients[name].adopt(*api)
            else:
                self._clients[name] = self._new_client(name, api)

    def _close_gone(self) -> None:
        for client in [each for each in self._gone if not self._users[each]]:
            del self._gone[client]
            task = asyncio.get_running_loop().create_task(_close(client))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*self._closing, *(_close(each) for each in (*self._clients.values(), *self._gone)))


async def _close(client: EnrichmentClient) -> None:
    await client.__aexit__(None, None, None)


def _missing(name: str) -> str:
    if name:
        return f"this worker's configuration has no API '{name}', which the batch was begun with: add [api.{name}]"
    return (
        "the batch was begun without a configuration file, and this worker has one: it ends on a worker that has the "
        "BATCH_API_* variables and no file"
    )
