"""What an API is called with may change while pages run: from the next call on, and no call in flight is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from described_api import Answered, Asked, DescribedApi, described_api

from activities.api.calls.described_calls import ApiAccess
from activities.api.client import ApiOptions, CallRow, EnrichmentClient, PageOutcome, PageRows, RowOutcome
from activities.api.clients import ApiClients, ConfiguredApi
from activities.api.credentials.auth import bearer
from activities.api.limits.adaptive_limit import AdaptiveLimit
from workflows.api_spec import ApiSpec
from workflows.errors import SettingsError


class HeldApi:
    """Answers calls once `gate` is open, and knows the most that were in flight at once."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.status = 200
        self.most = self._now = 0
        self._lock = threading.Lock()

    def __call__(self, _: Asked) -> Answered:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.gate.wait(20)
        with self._lock:
            self._now -= 1
        return self.status, b'{"title": "x"}'


@pytest.fixture
def held() -> Iterator[tuple[HeldApi, DescribedApi]]:
    answering = HeldApi()
    with described_api(answering) as api:
        yield answering, api
        answering.gate.set()


def access(url: str, *, key: str = "first", **options: Any) -> ApiAccess:
    made = ApiOptions(url=url, **{"timeout_s": 10.0, "concurrency": 2, **options})
    return ApiAccess(made, lambda: {"key": key}, bearer(lambda: key))


def people(url: str) -> ApiSpec:
    return ApiSpec(name="people", method="GET", url=f"{url}/people{{?id,key}}", secret_vars=["key"])


async def enriched(
    client: EnrichmentClient, url: str, numbers: range, kept: list[RowOutcome] | None = None
) -> PageOutcome:
    rows = [CallRow(each, f"users-{each}", b'{"id":"%d"}' % each) for each in numbers]
    page = PageRows(rows, calls=client.calls_of(people(url)))
    return await client.enrich("users", page, keep=(kept if kept is not None else []).append)


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not check():
            await asyncio.sleep(0.01)


async def test_more_calls_at_once_and_new_secrets_take_hold_in_mid_page_and_no_call_is_lost(
    held: tuple[HeldApi, DescribedApi],
) -> None:
    answering, api = held
    kept: list[RowOutcome] = []
    async with EnrichmentClient(access(api.url)) as client:
        page = asyncio.create_task(enriched(client, api.url, range(1, 31), kept))
        await until(lambda: answering.most == 2)
        await client.adopt(access(api.url, key="second", concurrency=6), None)
        await until(lambda: answering.most == 6)
        answering.gate.set()
        assert (await page).outcome == "done"
    assert sorted(each.number for each in kept) == list(range(1, 31))
    assert all(each.error is None for each in kept)
    assert len(api.asked) == 30, "no call was made twice"
    keys = [(each.target.partition("key=")[2], each.headers["authorization"]) for each in api.asked]
    assert set(keys) == {("first", "Bearer first"), ("second", "Bearer second")}
    assert keys.count(("first", "Bearer first")) == 2


async def test_a_lower_limit_and_a_shorter_time_out_hold_for_the_next_call(
    held: tuple[HeldApi, DescribedApi],
) -> None:
    answering, api = held
    async with EnrichmentClient(access(api.url, concurrency=4)) as client:
        page = asyncio.create_task(enriched(client, api.url, range(1, 5)))
        await until(lambda: answering.most == 4)
        await client.adopt(access(api.url, concurrency=1, timeout_s=0.2, attempts=1, outage="fallback"), None)
        kept: list[RowOutcome] = []
        late = asyncio.create_task(enriched(client, api.url, range(5, 7), kept))
        await until(lambda: client.session.scheduler.in_flight == 4)
        assert len(api.asked) == 4, "no further call before those in flight are over"
        answering.gate.set()
        assert (await page).outcome == "done"
        assert (await late).outcome == "done"
        answering.gate.clear()
        slow: list[RowOutcome] = []
        await enriched(client, api.url, range(7, 8), slow)
        assert [each.error for each in slow] == ["timeout"]
        assert client.session.scheduler.limit.value == 1


async def test_an_outage_stays_known_where_the_address_stayed_and_is_forgotten_with_another(
    held: tuple[HeldApi, DescribedApi],
) -> None:
    _, api = held
    async with EnrichmentClient(access(api.url)) as client:
        client.session.circuit.open("down")
        await client.adopt(access(api.url, concurrency=9), None)
        assert (await enriched(client, api.url, range(1, 2))).outcome == "api_down"
        await client.adopt(access("http://127.0.0.1:9"), None)
        assert not client.session.circuit.is_open


async def test_a_page_begins_no_call_more_once_another_process_found_the_api_to_be_down(
    held: tuple[HeldApi, DescribedApi],
) -> None:
    answering, api = held
    async with EnrichmentClient(access(api.url)) as client:
        kept: list[RowOutcome] = []
        page = asyncio.create_task(enriched(client, api.url, range(1, 31), kept))
        await until(lambda: answering.most == 2)
        client.session.circuit.told_down("answers 503", 3_600.0)
        answering.gate.set()
        assert (await page).outcome == "api_down"
        assert client.session.circuit.is_open, "calls from before prove nothing"
    assert len(api.asked) == len(kept) == 2


async def test_rows_become_fallbacks_at_once_where_an_outage_is_not_waited_for_any_more(
    held: tuple[HeldApi, DescribedApi],
) -> None:
    answering, api = held
    answering.status = 500
    answering.gate.set()
    async with EnrichmentClient(access(api.url, attempts=1)) as client:
        client.session.circuit.open("down")
        await client.adopt(access(api.url, attempts=1, outage="fallback"), None)
        kept: list[RowOutcome] = []
        assert (await enriched(client, api.url, range(1, 3), kept)).outcome == "done"
        assert [each.error for each in kept] == ["http_500", "http_500"]


async def test_an_api_that_came_is_called_and_one_that_went_is_closed_once_no_page_uses_it(
    held: tuple[HeldApi, DescribedApi],
) -> None:
    answering, api = held
    spec = people(api.url)
    places = replace(spec, name="places")
    async with ApiClients({"people": EnrichmentClient(access(api.url))}) as clients:
        with clients.used(spec) as client:
            page = asyncio.create_task(enriched(client, api.url, range(1, 3)))
            await until(lambda: answering.most == 2)
            await clients.apply({"places": ConfiguredApi(access(api.url), None)})
            with pytest.raises(SettingsError, match="has no API 'people'"):
                clients.client_of(spec)
            answering.gate.set()
            assert (await page).outcome == "done"
        assert (await enriched(clients.client_of(places), api.url, range(3, 4))).outcome == "done"
        await clients.apply({name: ConfiguredApi(access(api.url), None) for name in ("people", "places")})
        assert clients.client_of(spec) is not client
        assert (await enriched(clients.client_of(spec), api.url, range(4, 5))).outcome == "done"


def test_a_search_that_had_reached_the_highest_limit_doubles_on_when_it_is_raised() -> None:
    now = 0.0
    limit = AdaptiveLimit(8, lambda: now)

    def answer(seconds: float) -> None:
        nonlocal now
        for _ in range(int(seconds / 0.01)):
            now += 0.01
            for _ in range(limit.value):
                limit.succeeded(0.01, saturated=True)

    answer(5)
    assert limit.value == 8
    limit.change_most(64)
    answer(2)
    assert limit.value == 64
    limit.change_most(5)
    assert limit.value == 5
