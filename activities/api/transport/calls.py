"""The calls to one address, over whichever transport serves it. Certificates and proxies get a second chance."""

from __future__ import annotations

import asyncio
from functools import partial

from activities.api.options import ApiOptions
from activities.api.transport.base import Answer, Answered, NoAnswer, Request
from activities.api.transport.certificate_check import CertificateCheck
from activities.api.transport.choice import transport_for
from activities.api.transport.headers import origin_of
from activities.api.transport.proxies import proxy_for
from activities.api.transport.replies import may_be_a_moment
from activities.api.transport.tls import tls_context

SECOND_CHANCE_S = 3.0
"""A certificate is wrong if it still is after this: a front that restarts may show another one for a moment.

So is what a proxy refuses.
"""


class AddressCalls:
    """Calls to the host of `url`."""

    def __init__(self, url: str, options: ApiOptions) -> None:
        self._transport, _ = transport_for(options, url)
        direct = url.startswith("https:") and not proxy_for(url, options)[0]
        self._check = CertificateCheck(origin_of(url), tls_context(options)) if direct else None
        self._timers: set[asyncio.TimerHandle] = set()

    def begin(self, request: Request, answered: Answered) -> None:
        """Send `request`; `answered` is called once, never before this returns, and not at all after `aclose`."""
        self._transport.begin(request, partial(self._answered, request, answered))

    async def aclose(self) -> None:
        """Close all connections at once; what is under way on them is lost."""
        for timer in self._timers:
            timer.cancel()
        if self._check:
            self._check.close()
        await self._transport.aclose()

    def _answered(self, request: Request, answered: Answered, outcome: Answer | NoAnswer) -> None:
        if not isinstance(outcome, NoAnswer):
            answered(outcome)
        elif self._check and outcome.sent and isinstance(outcome.error, ConnectionResetError):
            self._check.explain(outcome, answered)
        elif may_be_a_moment(outcome.error):
            self._begin_again(request, answered)
        else:
            answered(outcome)

    def _begin_again(self, request: Request, answered: Answered) -> None:
        def begin() -> None:
            self._timers.discard(timer)
            self._transport.begin(request, answered)

        timer = asyncio.get_running_loop().call_later(SECOND_CHANCE_S, begin)
        self._timers.add(timer)
