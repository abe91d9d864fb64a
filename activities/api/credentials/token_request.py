"""One request to a token endpoint, and what its answer means."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, cast
from urllib.parse import quote_plus

import httpx2

from activities.api.credentials.auth import CredentialsRefused, ReadSecret, read_secret
from activities.api.options import LONGEST_HELD_S
from activities.api.replies import RETRIED_STATUSES, retry_after_s
from activities.api.transport.replies import is_about_a_certificate, public_address
from workflows.errors import shortened
from workflows.ids import printable

MAX_ANSWER_BYTES = 65_536
MAX_ERROR_CHARS = 200
_FIRST_SERVER_ERROR = 500
_OK = 200
_UNAUTHORIZED = 401
_PERHAPS_THE_WAY = {"invalid_client", "invalid_request", ""}
"""Errors that may be about how the client authenticates, and not about who it is or what it wants."""


class TokenEndpointDown(Exception):
    """The endpoint gave no answer that makes sense. `asked_s`: what it asked to be left alone for (Retry-After)."""

    def __init__(self, message: str, asked_s: float = 0.0) -> None:
        super().__init__(message)
        self.asked_s = asked_s


class _ClientRefused(CredentialsRefused):
    """The client is not known, or not this way."""


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token and the seconds it lives, infinite where the endpoint did not say."""

    token: str = field(repr=False)
    expires_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOptions:
    """Where a token is asked for, by whom, and how. `tls` None is the system's trust; `proxy` None is no proxy."""

    token_url: str
    client_id: str
    read_secret: ReadSecret = field(repr=False)
    scope: str = ""
    timeout_s: float = 10.0
    tls: ssl.SSLContext | None = None
    proxy: str | None = field(default=None, repr=False)
    user_agent: str = "batchd"


class TokenEndpoint:
    """Asks for tokens. The secret goes in Basic, and in the body where the endpoint accepts it only there."""

    def __init__(self, options: TokenOptions) -> None:
        self._options = options
        self._tls = options.tls or ssl.create_default_context()
        self._secret = ""
        self._in_body = False
        self._shown_url = public_address(options.token_url)

    async def ask(self) -> TokenAnswer:
        """Ask for a token once, with the secret as it stands now.

        RFC 6749 section 2.3.1 has every server know Basic; some do not. So a refusal is asked about in the other way.

        Raises:
            CredentialsRefused: the endpoint does not accept the client, or the address or the scope.
            TokenEndpointDown: no answer, or one that makes no sense.
        """
        self._secret = await asyncio.to_thread(read_secret, self._options.read_secret, "the OAuth client")
        try:
            return await self._ask(in_body=self._in_body)
        except _ClientRefused as first:
            try:
                answer = await self._ask(in_body=not self._in_body)
            except CredentialsRefused as second:
                raise (first if "invalid_client" in str(first) else second) from None
            self._in_body = not self._in_body
            return answer

    def secret_changed(self) -> bool:
        """Return whether the secret is another one than that of the last request. Blocking."""
        return read_secret(self._options.read_secret, "the OAuth client") != self._secret

    def __repr__(self) -> str:
        return f"TokenEndpoint({self._shown_url!r})"

    async def _ask(self, *, in_body: bool) -> TokenAnswer:
        options = self._options
        form = {"grant_type": "client_credentials", **({"scope": options.scope} if options.scope else {})}
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": options.user_agent}
        if in_body:
            form |= {"client_id": options.client_id, "client_secret": self._secret}
        else:
            headers["Authorization"] = _basic(options.client_id, self._secret)
        try:
            async with asyncio.timeout(options.timeout_s):
                status, found, body = await self._post(form, headers)
        except TimeoutError:
            raise TokenEndpointDown(f"{self._name} did not answer within {options.timeout_s:g} s") from None
        except (httpx2.HTTPError, ssl.SSLError) as error:  # with TLS 1.3 an alert may come after the handshake
            raise self._unanswered(error) from error
        return self._token_of(status, found, body)

    async def _post(self, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, httpx2.Headers, bytes]:
        """Post a form over a connection of its own. httpx2's client is left out: it follows, keeps and logs things."""
        options = self._options
        request = httpx2.Request("POST", options.token_url, data=dict(form), headers=dict(headers))
        proxy = httpx2.Proxy(options.proxy) if options.proxy else None
        async with httpx2.AsyncHTTPTransport(verify=self._tls, proxy=proxy, trust_env=False) as http:
            response = await http.handle_async_request(request)
            try:
                return response.status_code, response.headers, await self._body(response)
            finally:
                await response.aclose()

    async def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        parts = cast("Any", cast("httpx2.AsyncByteStream", response.stream).__aiter__())
        async with aclosing(parts):
            async for part in parts:
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise TokenEndpointDown(f"{self._name} answered with more than {MAX_ANSWER_BYTES:,} bytes")
        return bytes(body)

    def _token_of(self, status: int, headers: httpx2.Headers, body: bytes) -> TokenAnswer:
        answer = _json_object(body)
        if status in RETRIED_STATUSES or status >= _FIRST_SERVER_ERROR:
            asked_s = retry_after_s(headers.get("retry-after"), time.time(), LONGEST_HELD_S) or 0.0
            raise TokenEndpointDown(f"{self._name} answered {status}", asked_s)
        if status != _OK or "error" in answer:
            raise self._refused(status, answer)
        token, kind = answer.get("access_token"), answer.get("token_type", "bearer")
        if not isinstance(token, str) or not token:
            raise TokenEndpointDown(f"{self._name} answered {status} without an access token")
        if str(kind).lower() != "bearer" or not all("!" <= char <= "~" for char in token):
            raise CredentialsRefused(
                f"{self._name} gives tokens of a kind that batchd cannot send; it sends bearer tokens"
            )
        return TokenAnswer(token, _seconds(answer.get("expires_in")))

    def _refused(self, status: int, answer: Mapping[str, Any]) -> CredentialsRefused:
        texts = [str(answer[name]) for name in ("error", "error_description") if answer.get(name)]
        why = f": {self._without_secrets(': '.join(texts))}" if texts else ""
        is_client = bool(texts) or status == _UNAUTHORIZED
        correct = "client_id, client_secret or scope" if is_client else "token_url"
        message = f"{self._name} answered {status}{why}; correct {correct}, then resume"
        if is_client and answer.get("error", "") in _PERHAPS_THE_WAY:
            return _ClientRefused(message)
        return CredentialsRefused(message)

    def _unanswered(self, error: httpx2.HTTPError | ssl.SSLError) -> Exception:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLError) and is_about_a_certificate(cause):
                text = shortened(str(cause), MAX_ERROR_CHARS)
                why = f"cannot be trusted or does not trust batchd: {text}"
                return CredentialsRefused(f"{self._name} {why}; correct the certificate, then resume")
        text = self._without_secrets(str(error) or type(error).__name__)
        return TokenEndpointDown(f"{self._name} did not answer: {text}")

    def _without_secrets(self, text: str) -> str:
        """Return a text from outside, shortened, without what an endpoint may have quoted of the request."""
        secret, client = self._secret, self._options.client_id
        for each in (_basic(client, secret).partition(" ")[2], quote_plus(secret), secret):
            text = text.replace(each, "***") if each else text
        return shortened(printable(text), MAX_ERROR_CHARS)

    @property
    def _name(self) -> str:
        return f"the token endpoint {self._shown_url}"


def _basic(client_id: str, secret: str) -> str:
    """Return Basic credentials of a client, form-encoded as RFC 6749 section 2.3.1 wants."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(expires_in: object) -> float:
    """Return how long a token lives; some endpoints send the number as text, some nothing or 0."""
    try:
        seconds = float(expires_in)  # type: ignore[arg-type]  # whatever it is
    except (TypeError, ValueError, OverflowError):
        return inf
    return seconds if isfinite(seconds) and seconds > 0 else inf


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
