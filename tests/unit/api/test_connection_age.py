"""Connections end after a while, so that calls follow the API's name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from scripted_api import scripted_api

from activities.api.client import ApiOptions, CallRow, EnrichmentClient, PageRows, RowOutcome
from activities.api.transport import base


async def test_under_load_the_calls_follow_the_name_to_another_address_and_none_fails_or_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "CONNECTION_AGE_S", 0.3)
    address = "127.0.0.1"

    def resolved(host: str, port: int, *_: object, **__: object) -> list[object]:
        assert host == "api.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    def rows() -> Iterator[CallRow]:
        nonlocal address
        number = 0
        while number < 200 or before.open_connections:
            number += 1
            if number == 100:
                address = "127.0.0.2"
            yield CallRow(number, f"users-{number}", b"{}")

    kept: list[RowOutcome] = []
    async with asyncio.timeout(30), scripted_api(lambda *_: 200) as before:
        port = urlsplit(before.url).port or 0
        async with scripted_api(lambda *_: 200, address=("127.0.0.2", port)) as after:
            monkeypatch.setattr(socket, "getaddrinfo", resolved)
            options = ApiOptions(url=f"http://api.example:{port}/enrich", concurrency=8)
            async with EnrichmentClient(options) as made:
                outcome = await made.enrich("users", PageRows(rows()), keep=kept.append)
                assert before.open_connections == 0
                assert after.open_connections > 0
    calls = before.asked + after.asked
    assert outcome.outcome == "done"
    assert {each.statuses for each in kept} == {("200",)}
    assert len(kept) == len(calls) == calls.total(), "one call for each row"
    assert len(before.asked) >= 90
