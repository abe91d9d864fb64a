"""A name that does not resolve and TLS that fails are an outage; a certificate that is wrong is for a human to mend."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest
import uvloop
from scripted_api import scripted_api
from tls_api import certificate, expired, front, tls_api

from activities.api.calls.posted_rows import PostedRows
from activities.api.client import ApiOptions, CallRow, EnrichmentClient, PageRows, RowOutcome
from activities.api.replies import Meaning, Reply
from activities.api.rows import reply_to
from activities.api.transport import calls

WITH_OPENSSL = pytest.mark.system_tool("openssl", package="openssl")


async def reply_of(url: str) -> Reply:
    async with aclosing(PostedRows(ApiOptions(url=url, timeout_s=5.0))) as made:
        return await reply_to(CallRow(1, "users-1", b"{}"), made)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a certificate for 127.0.0.1 that the client trusts."""
    made = certificate(tmp_path, "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    return made


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "SECOND_CHANCE_S", 0.05)


@pytest.mark.parametrize("outage", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL])
async def test_a_name_that_does_not_resolve_is_an_outage_that_names_the_host_and_ends_by_itself(
    outage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise socket.gaierror(outage, "the name service says so")

    kept: list[RowOutcome] = []
    rows = PageRows([CallRow(number, f"users-{number}", b"{}") for number in range(1, 31)])
    async with scripted_api(lambda *_: 200) as api, asyncio.timeout(30):
        options = ApiOptions(url=api.url.replace("127.0.0.1", "localhost"), timeout_s=5.0, concurrency=8)
        async with EnrichmentClient(options, random=Random(1)) as made:
            with monkeypatch.context() as failing:
                failing.setattr(socket, "getaddrinfo", away)
                outcome = await made.enrich("users", rows, keep=kept.append)
            assert (outcome.outcome, kept) == ("api_down", [])
            assert "the name localhost does not resolve" in outcome.detail
            while outcome.outcome != "done":
                await asyncio.sleep(outcome.retry_after_s)
                outcome = await made.enrich("users", rows, keep=kept.append)
    assert [each.error for each in kept] == [None] * 30


async def test_a_name_service_that_hangs_is_a_timeout_that_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hung(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hung)
    async with aclosing(PostedRows(ApiOptions(url="http://api.example/enrich", timeout_s=0.1))) as made:
        reply = await reply_to(CallRow(1, "users-1", b"{}"), made)
    assert (reply.meaning, reply.detail) == (Meaning.RETRY, "no connection to api.example within 0.1 s")


@WITH_OPENSSL
async def test_an_api_behind_tls_is_called(trusted: Path) -> None:
    with tls_api(lambda _: front(trusted)) as api:
        assert (await reply_of(api.url)).answer == {"region": 1}
        assert api.handshakes == 1


@WITH_OPENSSL
@pytest.mark.parametrize("wrong", ["issuer", "name", "expired"])
async def test_a_certificate_that_is_wrong_at_the_second_look_too_is_refused(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = certificate(tmp_path, "bad", for_name="DNS:api.example" if wrong == "name" else "IP:127.0.0.1")
    bad = expired(bad) if wrong == "expired" else bad
    if wrong != "issuer":
        monkeypatch.setenv("SSL_CERT_FILE", str(bad))
    with tls_api(lambda _: front(bad)) as api:
        reply = await reply_of(api.url)
        assert api.handshakes == 2, "it is looked at a second time, and not a third"
    assert reply.meaning is Meaning.REFUSED
    assert api.url in reply.detail
    assert {"issuer": "self-signed", "name": "mismatch", "expired": "expired"}[wrong] in reply.detail


@WITH_OPENSSL
async def test_a_front_that_restarts_with_a_wrong_certificate_for_a_moment_costs_nothing(
    trusted: Path, tmp_path: Path
) -> None:
    snakeoil = certificate(tmp_path, "snakeoil")
    with tls_api(lambda nth: front(snakeoil if nth == 1 else trusted)) as api:
        assert (await reply_of(api.url)).meaning is Meaning.DONE
        assert api.handshakes == 2


@WITH_OPENSSL
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_an_api_that_wants_a_certificate_of_the_client_is_refused_after_a_second_look(
    run: object, trusted: Path
) -> None:
    wants = front(trusted)
    wants.verify_mode = ssl.CERT_REQUIRED
    with tls_api(lambda _: wants) as api:
        reply = run(reply_of(api.url))  # type: ignore[operator]
        assert api.handshakes == 2
    assert reply.meaning is Meaning.REFUSED
    assert "certificate required" in reply.detail


@WITH_OPENSSL
@pytest.mark.parametrize("alert", ["UNRECOGNIZED_NAME", "INTERNAL_ERROR", "HANDSHAKE_FAILURE", "PROTOCOL_VERSION"])
async def test_any_other_alert_is_a_failed_connection(alert: str, trusted: Path) -> None:
    refusing = front(trusted)
    refusing.sni_callback = lambda *_: getattr(ssl.AlertDescription, f"ALERT_DESCRIPTION_{alert}")
    with tls_api(lambda _: refusing) as api:
        reply = await reply_of(api.url)
        assert api.handshakes == 1
    assert (reply.meaning, reply.code) == (Meaning.RETRY, "connect")
    assert "connection to 127.0.0.1 failed" in reply.detail


@WITH_OPENSSL
@pytest.mark.parametrize("outage", ["wait", "fallback"])
async def test_a_wrong_certificate_stops_the_page_and_makes_no_fallback_row(outage: str, tmp_path: Path) -> None:
    kept: list[RowOutcome] = []
    bad = certificate(tmp_path, "bad")
    rows = PageRows([CallRow(number, f"users-{number}", b"{}") for number in range(1, 31)])
    with tls_api(lambda _: front(bad)) as api:
        async with EnrichmentClient(ApiOptions(url=api.url, timeout_s=5.0, outage=outage)) as made:
            outcome = await made.enrich("users", rows, keep=kept.append)
    assert (outcome.outcome, kept) == ("api_refused", [])
    assert "certificate" in outcome.detail
