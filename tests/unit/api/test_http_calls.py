"""The hot call against servers that misbehave in every way, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from activities.api.options import ApiOptions
from activities.api.replies import MAX_RETRY_AFTER_S, Meaning, meaning_of_status, retry_after_s
from activities.api.transport.calls import ApiCalls
from activities.api.transport.replies import shown

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 1}'


@asynccontextmanager
async def server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections with `script` and yield the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one request; return its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return head, await reader.readexactly(length)


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
async def calls(port: int, **options: object) -> AsyncIterator[ApiCalls]:
    settings = {"url": f"http://127.0.0.1:{port}/enrich", "timeout_s": 0.5, **options}
    async with ApiCalls(ApiOptions(**settings)) as made:  # type: ignore[arg-type]
        yield made


async def reply_to(script: Script, **options: object) -> tuple[Meaning, str, str]:
    async with server(script) as port, calls(port, **options) as made:
        reply = await made.post_row(b"{}", "users-1")
    return reply.meaning, reply.status, reply.code


async def test_a_row_is_posted_with_its_key_and_the_token_and_the_answer_is_an_object() -> None:
    heads: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await request(reader)
        heads.append(head + body)
        writer.write(OK)

    async with server(script) as port, calls(port, token="s3cret", user_agent="batchd/1") as made:  # noqa: S106
        reply = await made.post_row(b'{"a":1}', "users-0123456789ab-7")
    assert reply.answer == {"region": 1}
    assert heads[0].startswith(b"POST /enrich HTTP/1.1\r\n")
    for line in (b"Idempotency-Key: users-0123456789ab-7", b"Authorization: Bearer s3cret", b"User-Agent: batchd/1"):
        assert line in heads[0]
    assert heads[0].endswith(b'\r\n\r\n{"a":1}')


async def test_a_connection_is_used_again_and_a_closed_one_is_not() -> None:
    connections = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await request(reader)
            writer.write(OK)

    async with server(script) as port, calls(port) as made:
        for _ in range(4):
            assert (await made.post_row(b"{}", "k")).meaning is Meaning.DONE
            await asyncio.sleep(0.02)
    assert connections == 2


@pytest.mark.parametrize("endless", [b"X-More: %b\r\n" % (b"y" * 1_000), b"y" * 1_000], ids=["many", "one"])
@pytest.mark.parametrize("head", [b"X-First: ", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX-First: "])
async def test_headers_and_trailers_without_an_end_are_not_read_for_ever(head: bytes, endless: bytes) -> None:
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

    assert await reply_to(script, timeout_s=30.0) == (Meaning.RETRY, "broken", "bad_response")
    assert sent < 20_000_000, "what the system's buffers hold, and no more"


async def test_a_body_of_many_small_chunks_and_a_trailer_is_whole() -> None:
    body = b'{"text":"%b"}' % (b"y" * 50_000)
    chunks = b"".join(b"0001;x=1\r\n%c\r\n" % each for each in body)
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\nRetry-After: 9\r\n\r\n" % chunks
    async with server(answering(answer)) as port, calls(port, timeout_s=30.0) as made:
        reply = await made.post_row(b"{}", "k")
    assert (reply.answer, reply.retry_after_s) == ({"text": "y" * 50_000}, None)


async def test_an_answer_too_many_is_not_taken_for_the_next_rows() -> None:
    wrong = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 2}'
    async with server(answering(OK + wrong)) as port, calls(port) as made:
        replies = [await made.post_row(b"{}", "k") for _ in range(3)]
    assert [each.answer for each in replies] == [{"region": 1}] * 3


async def test_a_call_under_way_is_dropped_when_the_client_closes() -> None:
    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request(reader)
        asked.set()
        assert await reader.read() == b"", "the client closes its side"
        closed.set()

    asked, closed = asyncio.Event(), asyncio.Event()
    async with server(script) as port:
        async with calls(port, timeout_s=30) as made:
            task = asyncio.create_task(made.post_row(b"{}", "k"))
            await asked.wait()
            task.cancel()
            await asyncio.wait({task})
        async with asyncio.timeout(5):
            await closed.wait()


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"region": 1}\r\n0\r\n\r\n',
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"region": 1}',
        b'HTTP/1.1 200 OK\r\ncontent-length:13\r\nConnection: close\r\n\r\n{"region": 1}',
    ],
)
async def test_every_framing_of_http_1_1_is_understood(answer: bytes) -> None:
    assert await reply_to(answering(answer)) == (Meaning.DONE, "200", "")


async def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    answer = b'HTTP/1.1 200 OK\r\n\r\n{"region": 1}'
    assert await reply_to(answering(answer, close=True)) == (Meaning.DONE, "200", "")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "bad_response"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "bad_response"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"reg', "bad_response"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad_response"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "http_503"),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", "http_429"),
    ],
)
async def test_an_answer_that_may_be_better_next_time_is_retried(answer: bytes, code: str) -> None:
    meaning, _, found = await reply_to(answering(answer, close=True))
    assert (meaning, found) == (Meaning.RETRY, code)


async def test_a_redirect_is_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    assert await reply_to(answering(answer)) == (Meaning.FALLBACK, "302", "http_302")


async def test_a_body_over_the_cap_is_not_read_to_its_end() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1

    assert await reply_to(script, max_body_bytes=1_000) == (Meaning.RETRY, "200", "too_large")
    assert sent < 100


async def test_a_compressed_body_that_nobody_asked_for_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert await reply_to(answering(head + bomb)) == (Meaning.RETRY, "200", "bad_response")


@pytest.mark.parametrize("seconds", [0.0, 0.1])
async def test_silence_and_one_byte_at_a_time_both_meet_the_total_deadline(seconds: float) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for byte in OK if seconds else b"":
            writer.write(bytes([byte]))
            await asyncio.sleep(seconds)
        await reader.read()

    assert await reply_to(script, timeout_s=0.3) == (Meaning.RETRY, "timeout", "timeout")


@pytest.mark.parametrize("half", [False, True])
async def test_a_connection_that_is_reset_or_half_closed_is_a_connect_error(half: bool) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if half:
            writer.write_eof()
            await reader.read()
        else:
            writer.transport.abort()

    assert await reply_to(script) == (Meaning.RETRY, "connect", "connect")


async def test_nobody_listening_is_a_connect_error() -> None:
    async with calls(1) as made:
        assert (await made.post_row(b"{}", "k")).code == "connect"


async def test_a_connection_that_is_closed_in_the_tls_handshake_is_a_connect_error() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with server(script) as port, calls(port, url=f"https://127.0.0.1:{port}/", timeout_s=5) as made:
        reply = await made.post_row(b"{}", "k")
    assert (reply.meaning, reply.code) == (Meaning.RETRY, "connect")


@pytest.mark.parametrize(
    ("statuses", "meaning"),
    [
        ((200, 201, 202, 299), Meaning.DONE),
        ((400, 404, 405, 409, 410, 413, 415, 422, 301, 304), Meaning.FALLBACK),
        ((401, 403), Meaning.REFUSED),
        ((408, 425, 429, 500, 502, 503, 504, 599), Meaning.RETRY),
    ],
)
def test_each_status_has_one_meaning(statuses: tuple[int, ...], meaning: Meaning) -> None:
    assert {meaning_of_status(each) for each in statuses} == {meaning}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("1e9", MAX_RETRY_AFTER_S),
        ("-3", None),
        ("soon", None),
        ("nan", None),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date_within_reason(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, now_s=10.0) == expected


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://user:pass@api.example.org:8443/v1/enrich?token=x") == "https://api.example.org:8443/v1/enrich"
