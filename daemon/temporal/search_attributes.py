"""The search attributes of batches in a namespace: looked for, made where that is allowed, done without where not.

A start that names an attribute which the namespace does not have is refused, so batches carry them only where all of
them are there. A server that has just been given them may take a minute until each part of it knows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from workflows.errors import shortened
from workflows.search_attributes import FALLBACK_ROWS, FEED, FILE, STATE, attributes_of
from workflows.state import BatchRequest

WANTED: Mapping[str, IndexedValueType.ValueType] = {
    FEED.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    FILE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    STATE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    FALLBACK_ROWS.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
}
WITHOUT = TypedSearchAttributes.empty
RPC_TIMEOUT = timedelta(seconds=5)
AGAIN_S = 60.0

_TYPES = {
    IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD: "Keyword",
    IndexedValueType.INDEXED_VALUE_TYPE_INT: "Int",
}

logger = logging.getLogger(__name__)


class SearchAttributes:
    """What new batches carry in one namespace."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._are_there = False
        self._refused_at_s: float | None = None

    async def register(self) -> None:
        """Make those that the namespace does not have. Idempotent; where it cannot be done, the log says why."""
        missing: dict[str, IndexedValueType.ValueType] = {}
        try:
            there = await attributes_there(self._client)
            missing = {name: kind for name, kind in WANTED.items() if name not in there}
            if missing:
                request = AddSearchAttributesRequest(namespace=self._client.namespace, search_attributes=missing)
                await self._client.operator_service.add_search_attributes(request, timeout=RPC_TIMEOUT)
            why = of_other_types(there)
        except RPCError as error:
            why = refusal(error)
        self._are_there = not why
        if why:
            self._warn(why)
        elif missing:
            logger.info("search_attributes.registered", extra={"fields": {"names": ", ".join(missing)}})

    async def of(self, request: BatchRequest) -> TypedSearchAttributes:
        """Return what the workflow of `request` is to be started with; empty where the namespace does not have them."""
        if self._refused_at_s is not None:
            if self._clock() - self._refused_at_s < AGAIN_S:
                return WITHOUT
            self._refused_at_s = None
            await self.register()
        return attributes_of(request) if self._are_there else WITHOUT

    def were_refused(self, error: RPCError) -> bool:
        """Return whether a start was refused over them; then no batch carries them for a minute."""
        if error.status != RPCStatusCode.INVALID_ARGUMENT or "search attribute" not in error.message.lower():
            return False
        self._refused_at_s = self._clock()
        self._warn(refusal(error))
        return True

    def _warn(self, why: str) -> None:
        fields = {"why": why, "do": f"{how_to_create(self._client)}; then restart batchd"}
        logger.warning("search_attributes.missing", extra={"fields": fields})


async def attributes_for(client: Client, request: BatchRequest) -> TypedSearchAttributes:
    """Return what a single workflow is to be started with, by asking for what is there."""
    try:
        there = await attributes_there(client)
    except RPCError:
        return WITHOUT
    return attributes_of(request) if WANTED.items() <= there.items() else WITHOUT


async def attributes_there(client: Client) -> dict[str, IndexedValueType.ValueType]:
    """Return the attributes of the namespace that somebody has made, with their types.

    Raises:
        RPCError: the server does not say.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    answer = await client.operator_service.list_search_attributes(request, timeout=RPC_TIMEOUT)
    return dict(answer.custom_attributes)


def of_other_types(there: Mapping[str, IndexedValueType.ValueType]) -> str:
    """Return which of ours are there with another type, which no one can change; empty where none is."""
    wrong = [name for name, kind in WANTED.items() if there.get(name, kind) != kind]
    return f"of another type, not ours: {', '.join(wrong)}" if wrong else ""


def refusal(error: RPCError) -> str:
    """Return why the server did not do what was asked."""
    return f"{error.status.name}: {shortened(error.message, 200)}"


def how_to_create(client: Client) -> str:
    """Return the command that makes them, for somebody who may."""
    names = " ".join(f"--name {name} --type {_TYPES[kind]}" for name, kind in WANTED.items())
    address = client.service_client.config.target_host
    return f"temporal operator search-attribute create --namespace {client.namespace} --address {address} {names}"
