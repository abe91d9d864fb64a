"""OAuth 2 client credentials (RFC 6749 section 4.4): a token for all calls of a process, replaced before it ends.

However many calls wait for a token, one request for it is in flight. Each worker process holds a token of its own, in
memory alone: that needs no place to keep a secret, and a process that is killed only fetches anew. A token is replaced
in the background in the last tenth of its life, while calls go on with it; its end is reckoned from before it was asked
for, by this host's clock, so that it ends here first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import uniform
from time import monotonic

from activities.api.credentials.auth import CredentialsRefused, CredentialsUnavailable, Headers
from activities.api.credentials.token_request import TokenAnswer, TokenEndpoint, TokenEndpointDown

MARGIN_SHARE = 0.1
LONGEST_MARGIN_S = 30.0
"""How long before its end a token is replaced: a tenth of its life, and no more than this."""

REFUSED_AGAIN_S = 10.0
"""A token younger than this that the API refuses, after one was replaced because of that, is no use replacing."""

REFUSAL_HOLDS_S = 10.0
"""For so long the endpoint is not asked again with credentials that it has refused: it may lock out who insists."""

QUICK_ATTEMPTS = 3
QUICK_RETRY_S = 0.1
"""One failure of the endpoint is no outage: it is asked again at once, unless it took long or asked for patience."""

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 15.0
JITTER = 0.2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token in use. Times are of the clock; `ends_at` is infinite where the endpoint did not say."""

    headers: Headers
    fetched_at: float
    replace_at: float
    ends_at: float
    after_refusal: bool


class ClientCredentials:
    """Credentials that are fetched from a token endpoint. See `activities.api.auth.Credentials`."""

    def __init__(self, endpoint: TokenEndpoint, *, clock: Callable[[], float] = monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._token: _Token | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._failures_in_a_row = 0
        self._ask_again_at = 0.0
        self._refusal: CredentialsRefused | None = None
        self._down = ""

    def headers(self) -> Headers | None:
        """Return the header with the token, and begin to replace it where its end is near; None where there is none."""
        token = self._token
        if token is None:
            return None
        now = self._clock()
        if now < token.replace_at:
            return token.headers
        if self._fetching is None and now >= self._ask_again_at:
            self._begin_fetch(after_refusal=False)
        return token.headers if now < token.ends_at else None

    async def fetch(self) -> None:
        """Wait for the request in flight, or make one.

        Raises:
            CredentialsRefused: the endpoint does not accept the client.
            CredentialsUnavailable: it does not answer sensibly.
        """
        await self._fetch(after_refusal=False)

    async def refused(self, used: Headers) -> bool:
        """Fetch another token where the refused one is still in use and was not fetched for that reason just now."""
        token = self._token
        if token is None or token.headers[0] in used:
            if token is not None and token.after_refusal and self._is_fresh(token):
                return False
            await self._fetch(after_refusal=True)
        return self._token is not None and self._token.headers[0] not in used

    def renew(self) -> bool:
        """Ask the endpoint again at once where the client's secret has changed, and return whether it has."""
        changed = self._endpoint.secret_changed()
        if changed:
            self._ask_again_at = 0.0
            self._refusal = None
        return changed

    def close(self) -> None:
        """End the request in flight."""
        if self._fetching is not None:
            self._fetching.cancel()

    def __repr__(self) -> str:
        return f"ClientCredentials({self._endpoint!r})"

    def _is_fresh(self, token: _Token) -> bool:
        return self._clock() < min(token.fetched_at + REFUSED_AGAIN_S, token.replace_at)

    async def _fetch(self, *, after_refusal: bool) -> None:
        if self._fetching is None:
            await self._raise_if_too_soon()
        if self._fetching is None:  # another may have begun one meanwhile
            self._begin_fetch(after_refusal=after_refusal)
        if self._fetching is not None:
            await asyncio.shield(self._fetching)  # who waits may be cancelled, the others go on

    async def _raise_if_too_soon(self) -> None:
        left_s = self._ask_again_at - self._clock()
        if left_s <= 0:
            return
        if self._refusal is not None:
            if not await asyncio.to_thread(self.renew):
                raise CredentialsRefused(str(self._refusal)) from self._refusal
        else:
            raise CredentialsUnavailable(self._down, left_s)

    def _begin_fetch(self, *, after_refusal: bool) -> None:
        self._fetching = asyncio.get_running_loop().create_task(self._ask(after_refusal=after_refusal))
        self._fetching.add_done_callback(self._fetched)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # it is raised to who waits; in the background nobody does

    async def _ask(self, *, after_refusal: bool) -> None:
        try:
            asked_at, answer = await self._answered()
        except CredentialsRefused as error:
            self._refusal = error
            self._ask_again_at = self._clock() + REFUSAL_HOLDS_S
            if after_refusal:
                self._token = None
            logger.warning("token.refused", extra={"fields": {"why": str(error)}})
            raise
        except TokenEndpointDown as error:
            raise self._unavailable(error) from error
        self._failures_in_a_row, self._ask_again_at, self._refusal = 0, 0.0, None
        ends_at = asked_at + answer.expires_in_s
        margin_s = min(LONGEST_MARGIN_S, answer.expires_in_s * MARGIN_SHARE)
        headers = (("Authorization", f"Bearer {answer.token}"),)
        self._token = _Token(headers, self._clock(), ends_at - margin_s, ends_at, after_refusal)

    async def _answered(self) -> tuple[float, TokenAnswer]:
        """Return an answer and when it was asked for."""
        for attempt in count(1):
            asked_at = self._clock()
            try:
                return asked_at, await self._endpoint.ask()
            except TokenEndpointDown as error:
                took_long = self._clock() - asked_at > QUICK_RETRY_S
                if attempt == QUICK_ATTEMPTS or took_long or error.asked_s:
                    raise
            await asyncio.sleep(uniform(0, QUICK_RETRY_S))  # noqa: S311 - jitter
        raise AssertionError("the attempts end")

    def _unavailable(self, error: TokenEndpointDown) -> CredentialsUnavailable:
        self._refusal, self._down = None, str(error)
        backoff_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**self._failures_in_a_row)
        wait_s = max(error.asked_s, backoff_s * uniform(1 - JITTER, 1))  # noqa: S311 - jitter
        self._failures_in_a_row = min(self._failures_in_a_row + 1, 10)
        self._ask_again_at = self._clock() + wait_s
        logger.warning("token.unavailable", extra={"fields": {"why": self._down, "again_s": round(wait_s, 1)}})
        return CredentialsUnavailable(self._down, wait_s)
