"""Both transports keep the same rules, over real sockets, against servers that misbehave in every way."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from scripted_api import scripted_api
from tls_api import certificate, front, tls_api

from activities.api.calls.posted_rows import PostedRows
from activities.api.options import ApiOptions
from activities.api.replies import Meaning, Reply
from activities.api.rows import CallRow, reply_to
from activities.api.transport import base, calls
from activities.api.transport.base import Answer, NoAnswer, Request, Transport, awaited
from activities.api.transport.choice import transport_for
from activities.api.transport.fast import FastTransport
from activities.api.transport.general import GeneralTransport
from activities.api.transport.proxies import proxy_for

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 1}'
WITH_OPENSSL = pytest.mark.system_tool("openssl", package="openssl")


@asynccontextmanager
async def server(script: Script) -> AsyncIterator[int]:
    """Serve connections with `script` and yield the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one request; return its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return head, await reader.readexactly(sum(int(line.split(b":")[1]) for line in lines))


def answering(*answers: bytes, close: bool = False) -> Script:
    """Return a script that gives these answers, one to a request."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request(reader)
            writer.write(answer)
            await writer.drain()
        if not close:
            await reader.read()

    return script


@asynccontextmanager
async def api_calls(port: int, **options: Any) -> AsyncIterator[PostedRows]:
    settings = {"url": f"http://127.0.0.1:{port}/enrich", "timeout_s": 0.5, **options}
    async with aclosing(PostedRows(ApiOptions(**settings))) as made:
        yield made


async def posted(made: PostedRows, key: str, body: bytes = b"{}", *, anew: bool = False) -> Reply:
    """Post a row and wait for the reply."""
    return await reply_to(CallRow(1, key, body), made, anew=anew)


async def reply_by(script: Script, **options: Any) -> Reply:
    async with server(script) as port, api_calls(port, **options) as made:
        return await posted(made, "users-1", b"{}")


async def result_of(script: Script, **options: Any) -> tuple[Meaning, str, str]:
    reply = await reply_by(script, **options)
    return reply.meaning, reply.status, reply.code


async def heads_of(kind: str, requests: list[Request], **options: Any) -> list[bytes]:
    """Return what the API read of each request."""
    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(b"".join(await request(reader)))
            writer.write(OK)

    async with server(script) as port:
        made = ApiOptions(url=f"http://127.0.0.1:{port}/enrich?a=%20b", **options)
        transport: Transport = (FastTransport if kind == "fast" else GeneralTransport)(made.url, made)
        for each in requests:
            outcome = await _outcome(transport, each)
            assert isinstance(outcome, Answer), outcome
        await transport.aclose()
    return [each.replace(b":%d" % port, b":0") for each in heads]


async def _outcome(transport: Transport, asked: Request) -> Answer | NoAnswer:
    return await awaited(lambda answered: transport.begin(asked, answered))


async def test_the_request_goes_out_to_the_byte_as_it_always_did(kind: str) -> None:
    asked = Request(b"POST", b"/enrich?a=%20b", b'{"a":1}', "users-0123456789ab-7")
    assert await heads_of(kind, [asked], token="s3cret", user_agent="batchd/1") == [  # noqa: S106
        (
            b"POST /enrich?a=%20b HTTP/1.1\r\nHost: 127.0.0.1:0\r\nUser-Agent: batchd/1\r\n"
            b"Content-Type: application/json\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
            b"Authorization: Bearer s3cret\r\nIdempotency-Key: users-0123456789ab-7\r\nContent-Length: 7\r\n\r\n"
            b'{"a":1}'
        )
    ]


async def test_method_address_and_headers_are_each_calls_own_and_fixed_ones_take_the_place_of_ours(kind: str) -> None:
    asked = [
        Request(b"GET", b"/people?name=%C3%A9", b"", headers=(("X-One", "1"),)),
        Request(b"PUT", b"/*", b"", headers=(("X-Two", "2"),)),
    ]
    got, put = await heads_of(kind, asked, headers=(("X-Api-Key", "k"), ("accept", "text/csv")))
    assert got.startswith(b"GET /people?name=%C3%A9 HTTP/1.1\r\nHost: 127.0.0.1:0\r\n")
    assert b"X-Api-Key: k\r\naccept: text/csv\r\nX-One: 1\r\n" in got
    assert b"content-" not in got.lower()
    assert b"application/json" not in got
    assert put.startswith(b"PUT /* HTTP/1.1\r\n")
    assert put.endswith(b"X-Two: 2\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("header", [("X-A", "1\r\nX-B: 2"), ("X-A\n", "1"), ("X A", "1"), ("content-length", "0")])
async def test_a_header_that_could_smuggle_in_a_second_request_never_goes_out(
    kind: str, header: tuple[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"(?i)line breaks|name of a header|leave it out"):
        await heads_of(kind, [Request(b"POST", b"/", b"{}", headers=(header,))])
    with pytest.raises(ValueError, match=r"(?i)line breaks|name of a header|leave it out"):
        await heads_of(kind, [], headers=(header,))


async def test_a_connection_is_used_again_and_a_closed_one_is_not(kind: str) -> None:
    connections = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await request(reader)
            writer.write(OK)

    async with server(script) as port, api_calls(port) as made:
        for _ in range(4):
            assert (await posted(made, "k", b"{}")).meaning is Meaning.DONE
            await asyncio.sleep(0.02)
    assert connections == 2


async def test_a_used_connection_that_closes_on_a_call_is_stale_and_the_call_anew_takes_another(kind: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)

    async with server(script) as port, api_calls(port) as made:
        first, second = [await posted(made, "k", b"{}") for _ in range(2)]
        third = await posted(made, "k", b"{}", anew=True)
    assert [each.status for each in (first, second, third)] == ["200", "stale", "200"]
    assert not second.sent


async def test_many_calls_at_once_each_get_their_own_answer(kind: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request(reader)
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with server(script) as port, api_calls(port, timeout_s=20.0) as made:
        replies = await asyncio.gather(*(posted(made, f"k-{number}", b'{"n":%d}' % number) for number in range(100)))
    assert [each.answer for each in replies] == [{"n": number} for number in range(100)]


async def test_connections_that_are_idle_are_closed_though_nobody_calls(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "KEEPALIVE_S", 0.2)
    async with (
        asyncio.timeout(20),
        scripted_api(lambda *_: 200) as api,
        aclosing(PostedRows(ApiOptions(url=api.url))) as made,
    ):
        await asyncio.gather(*(posted(made, f"users-{number}", b"{}") for number in range(5)))
        while api.open_connections:
            await asyncio.sleep(0.02)


async def test_a_connection_that_is_old_carries_no_further_call(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "CONNECTION_AGE_S", 0.0)
    monkeypatch.setattr(base, "KEEPALIVE_S", 0.2)
    async with (
        asyncio.timeout(20),
        scripted_api(lambda *_: 200) as api,
        aclosing(PostedRows(ApiOptions(url=api.url))) as made,
    ):
        for number in range(3):
            assert (await posted(made, f"users-{number}", b"{}")).meaning is Meaning.DONE
        while api.open_connections:
            await asyncio.sleep(0.02)
        assert len(api._connections) == 3


@pytest.mark.parametrize("endless", [b"X-More: %b\r\n" % (b"y" * 1_000), b"y" * 1_000], ids=["many", "one"])
@pytest.mark.parametrize("head", [b"X-First: ", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX-First: "])
async def test_headers_and_trailers_without_an_end_are_not_read_for_ever(
    kind: str, head: bytes, endless: bytes
) -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        writer.write(b"y\r\n" if endless.startswith(b"X") else b"")
        while sent < 50_000_000:
            writer.write(endless)
            sent += len(endless)
            await writer.drain()

    assert await result_of(script, timeout_s=30.0) == (Meaning.RETRY, "broken", "bad_response")
    assert sent < 20_000_000, "what the system's buffers hold, and no more"


async def test_a_body_of_many_small_chunks_and_a_trailer_is_whole(kind: str) -> None:
    body = b'{"text":"%b"}' % (b"y" * 50_000)
    chunks = b"".join(b"0001;x=1\r\n%c\r\n" % each for each in body)
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\nRetry-After: 9\r\n\r\n" % chunks
    reply = await reply_by(answering(answer), timeout_s=30.0)
    assert (reply.answer, reply.retry_after_s) == ({"text": "y" * 50_000}, None)


async def test_an_answer_too_many_is_not_taken_for_the_next_rows(kind: str) -> None:
    wrong = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 2}'
    async with server(answering(OK + wrong)) as port, api_calls(port) as made:
        replies = [await posted(made, "k", b"{}") for _ in range(3)]
    assert [each.answer for each in replies] == [{"region": 1}] * 3


async def test_a_call_under_way_is_dropped_when_the_client_closes(kind: str) -> None:
    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request(reader)
        asked.set()
        with suppress(ConnectionError):
            assert await reader.read() == b"", "the client closes its side"
        closed.set()

    asked, closed = asyncio.Event(), asyncio.Event()
    async with server(script) as port:
        async with api_calls(port, timeout_s=30) as made:
            task = asyncio.create_task(posted(made, "k", b"{}"))
            await asked.wait()
            task.cancel()
            await asyncio.wait({task})
        async with asyncio.timeout(5):
            await closed.wait()


@pytest.mark.parametrize(
    ("answer", "close"),
    [
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"region": 1}\r\n0\r\n\r\n', False),
        (b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 1}', False),
        (b'HTTP/1.1 200 OK\r\ncontent-length:13\r\nConnection: close\r\n\r\n{"region": 1}', False),
        (b'HTTP/1.1 200 OK\r\n\r\n{"region": 1}', True),
    ],
    ids=["chunks", "continue", "close", "until the end"],
)
async def test_every_framing_of_http_1_1_is_understood(kind: str, answer: bytes, close: bool) -> None:
    assert await result_of(answering(answer, close=close)) == (Meaning.DONE, "200", "")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "bad_response"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "bad_response"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"reg', "bad_response"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "http_503"),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", "http_429"),
    ],
)
async def test_an_answer_that_may_be_better_next_time_is_retried(kind: str, answer: bytes, code: str) -> None:
    meaning, _, found = await result_of(answering(answer, close=True))
    assert (meaning, found) == (Meaning.RETRY, code)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 422, 500])
async def test_a_status_and_retry_after_arrive(kind: str, status: int) -> None:
    reply = await reply_by(
        answering(b"HTTP/1.1 %d X\r\nretry-after: 7\r\nContent-Length: 2\r\n\r\n{}" % status), timeout_s=5.0
    )
    assert (reply.status, reply.retry_after_s) == (str(status), None if status < 300 else 7.0)
    assert reply.latency_ms > 0


async def test_a_redirect_is_not_followed(kind: str) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    assert await result_of(answering(answer)) == (Meaning.FALLBACK, "302", "http_302")


async def test_a_body_over_the_cap_is_not_read_to_its_end(kind: str) -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1

    assert await result_of(script, max_body_bytes=1_000) == (Meaning.RETRY, "200", "too_large")
    assert sent < 100


def packed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(
    ("body", "asked", "code"),
    [
        (gzip.compress(b'{"region":') + gzip.compress(b" 1}"), True, ""),
        (gzip.compress(b'{"region": 1}'), False, "bad_response"),
        (gzip.compress(b'{"region": 1}')[:-9], True, "bad_response"),
        (b'{"region": 1}', True, "bad_response"),
        (gzip.compress(b" " * 100_000_000, 1), True, "too_large"),
    ],
    ids=["asked for", "not asked for", "cut short", "none", "a bomb"],
)
async def test_gzip_is_unpacked_where_it_was_asked_for_up_to_the_cap(
    kind: str, body: bytes, asked: bool, code: str
) -> None:
    reply = await reply_by(answering(packed(body)), gzip=asked, timeout_s=10.0)
    assert reply.code == code
    assert reply.answer == (None if code else {"region": 1})
    [head] = await heads_of(kind, [Request(b"POST", b"/", b"{}")], gzip=asked)
    assert (b"Accept-Encoding: gzip" in head) is asked


@pytest.mark.parametrize("seconds", [0.0, 0.1])
async def test_silence_and_one_byte_at_a_time_both_meet_the_total_deadline(kind: str, seconds: float) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for byte in OK if seconds else b"":
            writer.write(bytes([byte]))
            await asyncio.sleep(seconds)
        await reader.read()

    assert await result_of(script, timeout_s=0.3) == (Meaning.RETRY, "timeout", "timeout")


@pytest.mark.parametrize("half", [False, True])
async def test_a_connection_that_is_reset_or_half_closed_is_a_connect_error(kind: str, half: bool) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if half:
            writer.write_eof()
            await reader.read()
        else:
            writer.transport.abort()

    reply = await reply_by(script)
    assert (reply.meaning, reply.status, reply.sent) == (Meaning.RETRY, "connect", True)


async def test_nobody_listening_is_a_connect_error_of_a_call_never_sent(kind: str) -> None:
    async with api_calls(1) as made:
        reply = await posted(made, "k", b"{}")
    assert (reply.code, reply.sent) == ("connect", False)
    assert "connection to 127.0.0.1 failed" in reply.detail


async def test_a_handshake_that_hangs_or_is_cut_short_is_a_call_never_sent(kind: str) -> None:
    async def cut(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async def hung(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    for script, status in ((cut, "connect"), (hung, "timeout")):
        async with server(script) as port, api_calls(port, url=f"https://127.0.0.1:{port}/") as made:
            reply = await posted(made, "k", b"{}")
        assert (reply.meaning, reply.status, reply.sent) == (Meaning.RETRY, status, False)
    assert reply.detail == "no connection to 127.0.0.1 within 0.5 s"


async def test_a_name_that_does_not_resolve_is_named(kind: str) -> None:
    async with api_calls(1, url="http://nobody.invalid/", timeout_s=20.0) as made:
        reply = await posted(made, "k", b"{}")
    assert reply.status == "connect"
    assert "the name nobody.invalid does not resolve" in reply.detail


async def tls_reply(url: str, **options: Any) -> Reply:
    async with aclosing(PostedRows(ApiOptions(url=url, timeout_s=5.0, **options))) as made:
        return await posted(made, "users-1", b"{}")


@WITH_OPENSSL
async def test_only_the_own_authority_is_trusted_and_a_client_certificate_is_shown(kind: str, tmp_path: Path) -> None:
    own, client = certificate(tmp_path, "own"), certificate(tmp_path, "client")
    wants = front(own)
    wants.verify_mode = ssl.CERT_REQUIRED
    wants.load_verify_locations(client)
    with tls_api(lambda _: wants) as api:
        shown = await tls_reply(api.url, ca_file=str(own), cert_file=str(client))
        missing = await tls_reply(api.url, ca_file=str(own))
        untrusted = await tls_reply(api.url, cert_file=str(client))
        assert api.handshakes == 5, "what is refused is looked at a second time, and not a third"
    assert shown.answer == {"region": 1}
    assert (missing.meaning, untrusted.meaning) == (Meaning.REFUSED, Meaning.REFUSED)
    assert "certificate required" in missing.detail
    assert "self-signed" in untrusted.detail


@WITH_OPENSSL
async def test_an_alert_that_is_not_about_a_certificate_is_a_failed_connection(kind: str, tmp_path: Path) -> None:
    own = certificate(tmp_path, "own")
    refusing = front(own)
    refusing.sni_callback = lambda *_: ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR
    with tls_api(lambda _: refusing) as api:
        reply = await tls_reply(api.url, ca_file=str(own))
        assert api.handshakes == 1
    assert (reply.meaning, reply.code) == (Meaning.RETRY, "connect")


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
def test_a_file_that_cannot_be_read_is_named(option: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ValueError, match=r"missing\.pem"):
        transport_for(ApiOptions(url="https://a.example/", **{option: missing}), "https://a.example/")


class Proxy:
    """A proxy that asks for a password, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        self.asked.append(b"%b %b" % (method, target))
        wanted = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:pa ss")
        if wanted not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif method == b"CONNECT":
            host, _, port = target.decode().partition(":")
            to_api = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(_copied(reader, to_api[1]), _copied(to_api[0], writer))
        else:
            writer.write(OK)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()


@WITH_OPENSSL
async def test_a_proxy_with_a_password_carries_calls_to_both_kinds_of_address(tmp_path: Path) -> None:
    own, proxy = certificate(tmp_path, "own"), Proxy()
    with tls_api(lambda _: front(own)) as api:
        async with server(proxy.connected) as port:
            through = f"http://user:pa%20ss@127.0.0.1:{port}"
            tunnelled = await tls_reply(api.url, ca_file=str(own), proxy=through)
            forwarded = await tls_reply("http://api.example/enrich", proxy=through)
        host = api.url.split("/")[2].encode()
    assert (tunnelled.answer, forwarded.answer) == ({"region": 1}, {"region": 1})
    assert proxy.asked == [b"CONNECT " + host, b"POST http://api.example/enrich"]


@pytest.mark.parametrize("url", ["http://api.example/enrich", "https://api.example/enrich"])
async def test_what_a_proxy_refuses_pauses_the_batch_and_says_what_to_correct(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SECOND_CHANCE_S", 0.05)
    proxy = Proxy()
    async with server(proxy.connected) as port:
        reply = await tls_reply(url, proxy=f"http://user:wrong@127.0.0.1:{port}")
    assert len(proxy.asked) == 2, "looked at a second time, and not a third"
    assert (reply.meaning, reply.status, reply.sent) == (Meaning.PAUSE, "proxy", False)
    assert f"the proxy http://127.0.0.1:{port} answered 407" in reply.detail
    assert "correct the proxy's address, user and password" in reply.detail
    assert "wrong" not in reply.detail


async def test_a_proxy_that_cannot_reach_the_api_is_an_outage() -> None:
    async def unreached(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    async with server(unreached) as port:
        reply = await tls_reply("https://api.example/enrich", proxy=f"http://127.0.0.1:{port}")
    assert (reply.meaning, reply.status, reply.sent) == (Meaning.RETRY, "connect", False)


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://a.example/", {}, ""),
        ("https://a.example/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example/", {"https_proxy": "http://low:1", "HTTPS_PROXY": "http://p:1"}, "http://low:1"),
        ("http://a.example/", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("http://a.example/", {"HTTP_PROXY": "u:p@p:1"}, "http://u:p@p:1"),
        ("http://a.example/", {"ALL_PROXY": "p"}, "http://p:1080"),
        ("http://a.example/", {"HTTP_PROXY": "p", "NO_PROXY": "*"}, ""),
        ("http://a.b.example/", {"HTTP_PROXY": "p:1", "NO_PROXY": "x, .b.example"}, ""),
        ("http://ab.example/", {"HTTP_PROXY": "p:1", "no_proxy": "b.example"}, "http://p:1"),
        ("http://10.1.2.3:80/", {"HTTP_PROXY": "p:1", "no_proxy": "10.0.0.0/8"}, ""),
        ("http://[::1]:80/", {"HTTP_PROXY": "p:1", "no_proxy": "[::1]"}, ""),
        ("http://11.1.2.3/", {"HTTP_PROXY": "p:1", "no_proxy": "10.0.0.0/8"}, "http://p:1"),
    ],
)
def test_the_environment_names_a_proxy_as_for_curl(url: str, environment: dict[str, str], proxy: str) -> None:
    assert proxy_for(url, ApiOptions(url=url, proxy=None), environment)[0] == proxy
    assert proxy_for(url, ApiOptions(url=url), environment)[0] == "", "not unless it is asked for"


@pytest.mark.parametrize(
    ("options", "transport", "why"),
    [
        ({}, FastTransport, "Neither a proxy nor HTTP/2"),
        ({"http2": True}, GeneralTransport, "HTTP/2 is asked for"),
        ({"proxy": "http://me:s3cret@p:1"}, GeneralTransport, "through the proxy http://p:1"),
    ],
)
def test_the_choice_of_a_transport_says_why(options: dict[str, Any], transport: type, why: str) -> None:
    made, reason = transport_for(ApiOptions(url="http://a.example/", **options), "http://a.example/")
    assert isinstance(made, transport)
    assert why in reason
    assert "s3cret" not in reason


def test_a_proxy_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="socks5:// is not supported"):
        proxy_for("http://a.example/", ApiOptions(url="", proxy="socks5://p:1"))


def test_an_address_of_a_proxy_without_a_host_is_refused_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="what follows the host of the proxy is no port") as refused:
        proxy_for("http://a.example/", ApiOptions(url="", proxy="http://me:s3cret"))
    assert "s3cret" not in str(refused.value)
