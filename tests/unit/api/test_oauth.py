"""Tokens of OAuth 2 client credentials, over real sockets: one request for all, in time, and what refusals come to."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from installation import Installation, api, free_port
from tls_api import certificate, front, tls_api

from activities.api.credentials.auth import CredentialsRefused, CredentialsUnavailable
from activities.api.credentials.oauth import ClientCredentials
from activities.api.credentials.token_request import TokenEndpoint, TokenOptions

SECRET = "mock-secret"  # noqa: S105 - the mock's
TOKEN = '{"access_token":"t1","token_type":"Bearer"}'  # noqa: S105 - of no use anywhere


@pytest.fixture
def base(installation: Callable[..., Installation]) -> str:
    return installation().mock_api()


def account(base: str, **change: object) -> None:
    httpx2.put(f"{base}/account", json=change)


def calls(base: str, path: str = "/oauth/token") -> int:
    return int(api(base, "/calls")["by_path"].get(path, 0))


def credentials_at(url: str, secret: Path | str = SECRET, **options: Any) -> ClientCredentials:
    read = secret.read_text if isinstance(secret, Path) else lambda: secret
    client_id = options.pop("client_id", "batchd")
    clock = options.pop("clock", time.monotonic)
    options = {"token_url": url, "client_id": client_id, "read_secret": read, "timeout_s": 5.0, **options}
    return ClientCredentials(TokenEndpoint(TokenOptions(**options)), clock=clock)


@asynccontextmanager
async def scripted(*answers: tuple[int, str], headers: str = "", port: int = 0) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve token requests with `answers`, the last one for ever; yield the address and what was asked."""
    asked: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        asked.append(head + (await reader.readexactly(length)).decode())
        status, body = answers[min(len(asked), len(answers)) - 1]
        writer.write(f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", port) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token", asked


async def test_two_hundred_calls_at_once_ask_for_one_token(base: str) -> None:
    credentials = credentials_at(f"{base}/oauth/token")
    assert credentials.headers() is None
    await asyncio.gather(*(credentials.fetch() for _ in range(200)))
    [(name, value)] = credentials.headers() or ()
    assert name == "Authorization"
    assert value.startswith("Bearer ")
    assert calls(base) == 1


async def test_tokens_that_end_every_two_seconds_are_replaced_before_they_end_by_one_request_each(base: str) -> None:
    account(base, token_expires_in_s=2)
    credentials = credentials_at(f"{base}/oauth/token")
    statuses: list[int] = []
    end = time.monotonic() + 5

    async def work(client: httpx2.AsyncClient) -> None:
        while time.monotonic() < end:
            statuses.append(await called(credentials, client, f"{base}/secured/enrich"))
            await asyncio.sleep(0.1)

    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=20)) as client:
        await asyncio.gather(*(work(client) for _ in range(20)))  # none waits for a connection while its token ends
    assert set(statuses) == {200}
    assert 3 <= calls(base) <= 6, "one for each two seconds or so, whoever waits"


async def called(credentials: ClientCredentials, client: httpx2.AsyncClient, url: str) -> int:
    """Make a call as a caller is meant to: fetched first where needed, once more after a 401."""
    for _ in range(2):
        if (used := credentials.headers()) is None:
            await credentials.fetch()
            used = credentials.headers() or ()
        answer = await client.post(url, json={}, headers=dict(used), timeout=20)
        if answer.status_code != 401 or not await credentials.refused(used):
            break
    return answer.status_code


async def test_a_token_that_is_revoked_is_replaced_once_for_all_who_were_refused(base: str) -> None:
    credentials = credentials_at(f"{base}/oauth/token")
    await credentials.fetch()
    used = credentials.headers() or ()
    httpx2.delete(f"{base}/oauth/tokens")
    assert all(await asyncio.gather(*(credentials.refused(used) for _ in range(50))))
    assert credentials.headers() not in {None, used}
    assert calls(base) == 2


async def test_a_fresh_token_that_is_refused_too_is_not_replaced_until_some_time_has_passed(base: str) -> None:
    now = [100.0]
    credentials = credentials_at(f"{base}/oauth/token", clock=lambda: now[0])
    await credentials.fetch()
    assert await credentials.refused(credentials.headers() or ())
    assert not await credentials.refused(credentials.headers() or ())
    assert calls(base) == 2
    now[0] += 11
    assert await credentials.refused(credentials.headers() or ()), "an operator who resumes is worth another try"


async def test_a_wrong_secret_is_refused_in_the_endpoints_words_and_not_insisted_upon(base: str) -> None:
    credentials = credentials_at(f"{base}/oauth/token", "canary-77")
    for _ in range(3):
        with pytest.raises(CredentialsRefused, match=r"/oauth/token answered 401: invalid_client: .*then resume") as it:
            await credentials.fetch()
        assert "canary" not in str(it.value) + repr(credentials)
    assert calls(base) == 2, "in Basic and in the body, once each"


async def test_a_rotated_secret_in_its_file_is_taken_up_at_once(base: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    credentials = credentials_at(f"{base}/oauth/token", secret)
    await credentials.fetch()
    used = credentials.headers() or ()
    account(base, client_secret="new")  # noqa: S106 - the mock's
    httpx2.delete(f"{base}/oauth/tokens")
    with pytest.raises(CredentialsRefused):
        await credentials.refused(used)
    assert credentials.headers() is None
    secret.write_text("new")
    await credentials.fetch()
    assert credentials.headers() not in {None, used}


async def test_an_endpoint_that_is_down_is_waited_for_and_used_once_it_is_up() -> None:
    port, now = free_port(), [100.0]
    credentials = credentials_at(f"http://127.0.0.1:{port}/token", clock=lambda: now[0])
    with pytest.raises(CredentialsUnavailable, match="did not answer") as found:
        await credentials.fetch()
    assert 0.5 < found.value.retry_after_s <= 1
    async with scripted((200, TOKEN), port=port) as (_, asked):
        with pytest.raises(CredentialsUnavailable):
            await credentials.fetch()
        assert not asked, "it is left alone until then"
        now[0] += found.value.retry_after_s
        await credentials.fetch()
        assert credentials.headers() == (("Authorization", "Bearer t1"),)


async def test_calls_go_on_with_a_token_that_has_not_ended_while_the_endpoint_is_down() -> None:
    now = [0.0]
    async with scripted((200, '{"access_token":"t1","token_type":"bearer","expires_in":"100"}'), (503, "")) as (url, _):
        credentials = credentials_at(url, clock=lambda: now[0])
        await credentials.fetch()
        now[0] = 95
        assert credentials.headers() == (("Authorization", "Bearer t1"),), "text is taken for a number"
        with pytest.raises(CredentialsUnavailable):
            await credentials.fetch()
        assert credentials.headers()
        now[0] = 101
        assert credentials.headers() is None
        credentials.close()


async def test_one_failure_of_the_endpoint_is_no_outage_and_a_retry_after_is_honoured() -> None:
    async with scripted((500, ""), (200, "<html>"), (200, TOKEN)) as (url, asked):
        credentials = credentials_at(url)
        await credentials.fetch()
        assert credentials.headers() == (("Authorization", "Bearer t1"),)
        assert len(asked) == 3
    async with scripted((429, ""), headers="Retry-After: 7\r\n") as (url, asked):
        with pytest.raises(CredentialsUnavailable) as found:
            await credentials_at(url).fetch()
        assert found.value.retry_after_s == 7
        assert len(asked) == 1


async def test_an_endpoint_that_takes_the_secret_in_the_body_alone_is_served_that_way() -> None:
    refusal = (400, '{"error":"invalid_request"}')
    token = (200, '{"access_token":"t","token_type":"Bearer"}')
    async with scripted(refusal, token, token) as (url, asked):
        credentials = credentials_at(url, "s&c=t", client_id="a b", scope="read write")
        await credentials.fetch()
        await credentials.refused(credentials.headers() or ())
    assert "authorization: basic YStiOnMlMjZjJTNEdA==" in asked[0].replace(
        "Authorization: Basic", "authorization: basic"
    )
    body = "grant_type=client_credentials&scope=read+write&client_id=a+b&client_secret=s%26c%3Dt"
    assert [each.partition("\r\n\r\n")[2] == body for each in asked] == [False, True, True]
    assert "authorization" not in asked[2].lower()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, '{"error":"invalid_scope","error_description":"no canary-s here"}', r"invalid_scope: no \*\*\* here"),
        (200, '{"error":"incorrect_client_credentials"}', "incorrect_client_credentials"),
        (301, "", "answered 301; correct token_url"),
        (404, "<html>", "answered 404; correct token_url"),
        (200, '{"access_token":"t","token_type":"mac"}', "bearer"),
        (200, '{"access_token":"t\\r\\nX: 1","token_type":"bearer"}', "bearer"),
        (403, '{"error":"x","error_description":"' + "y" * 5_000 + '"}', "…"),
    ],
)
async def test_what_no_waiting_helps_is_refused_with_the_reason_and_without_the_secret(
    status: int, body: str, expected: str
) -> None:
    async with scripted((status, body)) as (url, asked):
        with pytest.raises(CredentialsRefused, match=expected) as found:
            await credentials_at(url, "canary-s").fetch()
    assert "canary" not in str(found.value)
    assert len(str(found.value)) < 400
    assert len(asked) == 1


async def test_an_answer_without_end_and_one_that_never_comes_are_an_outage() -> None:
    async with scripted((200, "x" * 100_000)) as (url, _):
        with pytest.raises(CredentialsUnavailable, match="65,536"):
            await credentials_at(url).fetch()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(CredentialsUnavailable, match=r"within 0\.2 s"):
            await credentials_at(url, timeout_s=0.2).fetch()


async def test_who_is_cancelled_while_waiting_takes_the_token_from_nobody(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 503, "delay_s": 0.3, "calls": 1})
    credentials = credentials_at(f"{base}/oauth/token")
    first, second = asyncio.create_task(credentials.fetch()), asyncio.create_task(credentials.fetch())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(CredentialsUnavailable):
        await second
    assert first.cancelled()


async def test_a_certificate_that_is_not_trusted_pauses_and_one_that_is_serves(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "endpoint")
    with tls_api(lambda _: front(pem)) as endpoint:
        with pytest.raises(CredentialsRefused, match=r"cannot be trusted.*correct the certificate"):
            await credentials_at(endpoint.url).fetch()
        trusting = ssl.create_default_context(cafile=str(pem))
        with pytest.raises(CredentialsUnavailable, match="answered 200 without an access token"):
            await credentials_at(endpoint.url, tls=trusting).fetch()


async def test_a_proxy_is_asked_for_the_endpoint_with_its_own_password() -> None:
    async with scripted((200, TOKEN)) as (url, asked):
        proxy = url.replace("http://", "http://user:p%40ss@").removesuffix("/token")
        credentials = credentials_at("http://endpoint.invalid/token", proxy=proxy)
        await credentials.fetch()
    assert asked[0].startswith("POST http://endpoint.invalid/token HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss").decode() in asked[0]


async def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = '{"error":"invalid_client","error_description":"canary-s is wrong"}'
    async with scripted((401, body)) as (url, _):
        with pytest.raises(CredentialsRefused):
            await credentials_at(url, "canary-s").fetch()
    assert "token.refused" in caplog.text
    assert not any("canary" in str(vars(each)) for each in caplog.records)
