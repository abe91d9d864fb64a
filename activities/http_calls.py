"""The hot call: one POST with everything prepared. The only module that knows the HTTP library.

aiohttp, not httpx2: the same call costs a third of the time (docs/performance.md). Callers see a `Reply`, never an
exception.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from activities.answers import Meaning, Reply, meaning_of_status, retry_after_s
from workflows.errors import shortened

KEEPALIVE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What the client may do.

    `rate` is in calls a second, 0 for no limit; `outage` is what rows do while the API is down: `wait` or `fallback`.
    """

    url: str
    bulk_url: str = ""
    bulk_size: int = 50
    token: str = field(default="", repr=False)
    concurrency: int = 64
    rate: float = 0.0
    timeout_s: float = 10.0
    attempts: int = 3
    max_body_bytes: int = 1_048_576
    outage: str = "wait"
    user_agent: str = "batchd"


class HttpCalls:
    """A pool of connections to one API. An async context manager."""

    def __init__(self, options: ApiOptions) -> None:
        self._options = options
        self._url = URL(options.url)
        self._bulk_url = URL(options.bulk_url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {
            "User-Agent": self._options.user_agent,
            "Content-Type": "application/json",
            "Accept": "application/json",
            # A compressed body could be a bomb; rows are small.
            "Accept-Encoding": "identity",
        }
        if self._options.token:
            headers["Authorization"] = f"Bearer {self._options.token}"
        self._session = aiohttp.ClientSession(
            # The gate limits the calls; a limit of the pool would be a second queue.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._options.timeout_s),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post_row(self, body: bytes, key: str) -> Reply:
        """Post one row under its idempotency key. Never raises, but when cancelled."""
        return await self._post(self._url, body, {"Idempotency-Key": key})

    async def post_bulk(self, body: bytes) -> Reply:
        """Post many rows in one call. Never raises, but when cancelled."""
        return await self._post(self._bulk_url, body, None)

    async def _post(self, url: URL, body: bytes, headers: dict[str, str] | None) -> Reply:
        assert self._session is not None, "enter the context first"  # noqa: S101 - a caller's mistake
        started = time.perf_counter()
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if response.status // 100 != 2:  # noqa: PLR2004 - the class of success
                    return _no_success(response, self._options)
                content = await self._content(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return _no_answer(error, self._options)
        latency_ms = (time.perf_counter() - started) * 1_000
        return _answer(str(response.status), content, latency_ms)

    async def _content(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Return the body, or None where it is too large or encoded although that was not asked for."""
        most = self._options.max_body_bytes
        length = response.content_length
        if (length or 0) > most or response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            return None
        if length is not None:
            return await response.read()
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > most:
                response.close()
                return None
        return bytes(content)


def _answer(status: str, content: bytes | None, latency_ms: float) -> Reply:
    try:
        answer: Any = orjson.loads(content) if content is not None else None
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict):
        return Reply(Meaning.DONE, status, "", answer=answer, latency_ms=latency_ms)
    code = "too_large" if content is None else "bad_response"
    return Reply(Meaning.RETRY, status, code, detail=f"{status} without a JSON object that can be read")


def _no_success(response: aiohttp.ClientResponse, options: ApiOptions) -> Reply:
    status = response.status
    meaning = meaning_of_status(status)
    detail = f"the API answered {status}"
    if meaning is Meaning.REFUSED:
        detail = (
            f"the API at {shown(options.url)} answered {status}: it does not accept the credentials; mend "
            "BATCH_API_TOKEN or BATCH_API_TOKEN_FILE, restart, then resume"
        )
    wanted_s = retry_after_s(response.headers.get("Retry-After"), time.time())
    return Reply(meaning, str(status), f"http_{status}", retry_after_s=wanted_s, detail=detail)


def _no_answer(error: Exception, options: ApiOptions) -> Reply:
    if isinstance(error, TimeoutError):
        return Reply(Meaning.RETRY, "timeout", "timeout", detail=f"no answer within {options.timeout_s:g} s")
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorDNSError | aiohttp.InvalidURL):
        detail = f"the API at {shown(options.url)} cannot be used: {error}; mend BATCH_API_URL, restart, then resume"
        return Reply(Meaning.REFUSED, "settings", "settings", detail=shortened(detail, 300))
    if isinstance(error, aiohttp.ClientPayloadError):
        return Reply(Meaning.RETRY, "cut", "bad_response", detail="the answer was cut short")
    return Reply(Meaning.RETRY, "connect", "connect", detail=shortened(f"connection failed: {error}", 300))


def shown(url: str) -> str:
    """Return `url` without what may be secret in it: user, password, query and fragment."""
    parts = URL(url)
    return str(parts.with_user(None).with_query(None).with_fragment(None)) if parts.host else url
