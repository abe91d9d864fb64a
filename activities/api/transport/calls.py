"""The calls that the enrichment client makes, over whichever transport serves, and what came of each.

Callers see a `Reply`, never an exception. Who makes thousands of calls a second takes it by callback (`begin_row`), who
makes one now and then awaits it (`post_row`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from activities.api.options import ApiOptions
from activities.api.replies import CERTIFICATE, Reply
from activities.api.transport.base import Answer, NoAnswer, Request, awaited
from activities.api.transport.choice import transport_for
from activities.api.transport.headers import target_of
from activities.api.transport.replies import reply_of

SECOND_LOOK_S = 3.0
"""A certificate is wrong if it still is after this: a front that restarts may show another one for a moment."""

Replied = Callable[[Reply], None]
"""Takes the reply to a call. Must not raise."""


class ApiCalls:
    """Calls to one API. An async context manager."""

    def __init__(self, options: ApiOptions) -> None:
        self._row_calls = _Calls(options.url, options)
        self._bulk_calls = _Calls(options.bulk_url, options) if options.bulk_url else self._row_calls

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._row_calls.aclose()
        if self._bulk_calls is not self._row_calls:
            await self._bulk_calls.aclose()

    def begin_row(self, body: bytes, key: str, replied: Replied, *, anew: bool = False) -> None:
        """Post one row under its idempotency key; `replied` is called once, never before this returns.

        `anew`: over a new connection, see `Request`.
        """
        calls = self._row_calls
        calls.begin(Request(b"POST", calls.target, body, key, anew), replied)

    def begin_bulk(self, body: bytes, replied: Replied) -> None:
        """Post many rows in one call; `replied` is called once, never before this returns."""
        calls = self._bulk_calls
        calls.begin(Request(b"POST", calls.target, body), replied)

    async def post_row(self, body: bytes, key: str, *, anew: bool = False) -> Reply:
        """Post one row and wait for the reply. Never raises, but when cancelled."""
        return await awaited(lambda replied: self.begin_row(body, key, replied, anew=anew))


class _Calls:
    """Calls to one address."""

    def __init__(self, url: str, options: ApiOptions) -> None:
        self.target = target_of(url)
        self._url = url
        self._options = options
        self._transport, _ = transport_for(options, url)
        self._looking_again: set[asyncio.TimerHandle] = set()

    def begin(self, request: Request, replied: Replied) -> None:
        self._transport.begin(request, partial(self._answered, request, replied))

    async def aclose(self) -> None:
        for timer in self._looking_again:
            timer.cancel()
        await self._transport.aclose()

    def _answered(self, request: Request, replied: Replied, outcome: Answer | NoAnswer) -> None:
        reply = reply_of(outcome, self._url, self._options)
        if reply.status == CERTIFICATE:
            self._look_again(request, replied)
        else:
            replied(reply)

    def _look_again(self, request: Request, replied: Replied) -> None:
        def look() -> None:
            self._looking_again.discard(timer)
            self._transport.begin(request, answered)

        def answered(outcome: Answer | NoAnswer) -> None:
            replied(reply_of(outcome, self._url, self._options))

        timer = asyncio.get_running_loop().call_later(SECOND_LOOK_S, look)
        self._looking_again.add(timer)
