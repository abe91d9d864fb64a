"""The faces of the mock beside `/enrich`, asked in this process."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from mock_api.app import build_app
from mock_api.settings import MockSettings


@asynccontextmanager
async def mock(**settings: object) -> AsyncIterator[httpx2.AsyncClient]:
    still = {"failure_rate": 0, "latency_min_ms": 0, "latency_max_ms": 0, "miss_rate": 0, "seed": 1, **settings}
    transport = httpx2.ASGITransport(build_app(MockSettings.model_validate(still)))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://mock") as client:
        yield client


KEY = {"X-Api-Key": "k"}


async def test_a_person_is_known_by_email_and_always_the_same() -> None:
    async with mock() as client:
        first, again = [await client.get("/people", params={"email": "ann@x.org"}, headers=KEY) for _ in range(2)]
    assert first.status_code == 200
    assert first.content == again.content
    found = first.json()["data"]
    assert found["work_email"] == "ann@x.org"
    assert found["experience"][0]["title"] == {"name": found["job_title"], "levels": [found["job_seniority"]]}


@pytest.mark.parametrize(
    ("parameters", "headers", "status"),
    [
        ({"email": "ann@x.org"}, {}, 401),
        ({"email": "ann@x.org"}, {"X-Api-Key": "wrong"}, 401),
        ({"email": "", "name": ""}, KEY, 400),
        ({"email": "nobody@x.org"}, KEY, 404),
        ({"name": "Ann Lee"}, KEY, 200),
    ],
)
async def test_people_answers_with_the_status_that_says_why(
    parameters: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with mock(key="k") as client:
        assert (await client.get("/people", params=parameters, headers=headers)).status_code == status


async def test_credits_are_spent_by_matches_alone_and_end_with_402_until_there_are_more() -> None:
    async with mock(credits=2) as client:

        async def status(email: str) -> int:
            return (await client.get("/people", params={"email": email}, headers=KEY)).status_code

        assert [await status(each) for each in ("a@x", "nobody@x", "b@x", "c@x")] == [200, 404, 200, 402]
        assert (await client.put("/account", json={"credits": 1})).json()["credits"] == 1
        assert [await status("c@x"), await status("d@x")] == [200, 402]


async def test_a_share_of_the_people_is_not_known_the_same_ones_each_time() -> None:
    async with mock(miss_rate=0.3) as client:

        async def misses() -> list[int]:
            answers = [await client.get("/people", params={"email": f"u{n}@x"}, headers=KEY) for n in range(100)]
            return [number for number, each in enumerate(answers) if each.status_code == 404]

        first = await misses()
        assert 15 <= len(first) <= 45
        assert await misses() == first


async def test_bulk_match_answers_by_position_with_null_for_a_miss_and_counts_the_keys() -> None:
    details = [{"email": "a@x"}, {"email": "nobody@x"}, {"email": "c@x"}]
    async with mock() as client:
        answer = await client.post("/bulk_match", json={"details": details, "keys": ["k1", "k2", "k3"]})
        matches = answer.json()["matches"]
        assert [each and each["email"] for each in matches] == ["a@x", None, "c@x"]
        assert (await client.get("/calls", params={"keys": True})).json()["keys"] == {"k1": 1, "k2": 1, "k3": 1}


@pytest.mark.parametrize("body", [{"details": [{}] * 11}, {"details": []}, {"details": "x"}, {"details": [1]}, []])
async def test_bulk_match_takes_one_to_ten_records(body: object) -> None:
    async with mock() as client:
        assert (await client.post("/bulk_match", json=body)).status_code == 422


async def test_the_geocoder_says_in_the_body_how_it_went_and_its_numbers_are_longer_than_a_double() -> None:
    async with mock(quota=2) as client:

        async def asked(**parameters: str) -> httpx2.Response:
            answer = await client.get("/geocode", params=parameters)
            assert answer.status_code == 200
            return answer

        found = await asked(address="1 Main St", key="k")
        assert found.json()["status"] == "OK"
        latitude = found.text.partition('"lat":')[2].partition(",")[0]
        assert len(latitude.partition(".")[2]) == 23
        assert (await asked(address="Nowhere 7", key="k")).json()["status"] == "ZERO_RESULTS"
        assert (await asked(address="2 Main St", key="k")).json()["status"] == "OVER_QUERY_LIMIT"
        assert (await asked(address="2 Main St")).json()["status"] == "REQUEST_DENIED"
        assert (await asked(key="k")).json()["status"] == "INVALID_REQUEST"


async def test_a_chat_completion_stands_deep_in_the_answer() -> None:
    async with mock() as client:
        asked = {"model": "small", "messages": [{"role": "user", "content": "Classify: Acme"}]}
        answer = (await client.post("/chat", json=asked)).json()
        assert answer["model"] == "small"
        assert answer["choices"][0]["message"]["content"] in {
            "Software",
            "Retail",
            "Manufacturing",
            "Healthcare",
            "Logistics",
            "Finance",
        }
        assert (await client.post("/chat", json={**asked, "messages": [{"content": 1}]})).status_code == 400
        assert (await client.post("/chat", json={"messages": asked["messages"]})).status_code == 400


async def test_a_key_that_is_set_is_wanted_of_chat_and_bulk_match_too_and_can_be_changed() -> None:
    asked = {"model": "small", "messages": [{"role": "user", "content": "x"}]}
    async with mock(key="k") as client:
        assert (await client.post("/chat", json=asked)).status_code == 401
        assert (await client.post("/chat", json=asked, headers={"Authorization": "Bearer k"})).status_code == 200
        assert (await client.post("/bulk_match", json={"details": [{}]})).status_code == 401
        await client.put("/account", json={"key": "new"})
        assert (await client.post("/chat", json=asked, headers={"Authorization": "Bearer k"})).status_code == 401


BASIC = {"Authorization": "Basic " + base64.b64encode(b"batchd:mock%2Dsecret").decode()}
GRANT = {"grant_type": "client_credentials"}
IN_BODY = {"client_id": "batchd", "client_secret": "mock-secret"}


@pytest.mark.parametrize(("headers", "form"), [(BASIC, GRANT), ({}, {**GRANT, **IN_BODY})])
async def test_a_client_gets_a_token_with_which_the_secured_face_answers(
    headers: dict[str, str], form: dict[str, str]
) -> None:
    async with mock() as client:
        given = await client.post("/oauth/token", data=form, headers=headers)
        assert given.headers["cache-control"] == "no-store"
        token = given.json()
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 3_600)
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        answer = await client.post("/secured/enrich", json={"country": "US"}, headers=bearer)
        assert answer.json() == {"country": "US", "enriched": True, "region": "NA"}
        await client.delete("/oauth/tokens")
        refused = await client.post("/secured/enrich", json={}, headers=bearer)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("headers", "form", "status", "error"),
    [
        ({}, {**GRANT, **IN_BODY, "client_secret": "old"}, 401, "invalid_client"),
        ({"Authorization": "Basic !"}, GRANT, 401, "invalid_client"),
        (BASIC, {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (BASIC, {**GRANT, **IN_BODY}, 400, "invalid_request"),
    ],
)
async def test_a_token_is_refused_with_the_errors_of_rfc_6749(
    headers: dict[str, str], form: dict[str, str], status: int, error: str
) -> None:
    async with mock() as client:
        answer = await client.post("/oauth/token", data=form, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_faults_and_chance_and_the_log_of_calls_hold_for_every_face() -> None:
    async with mock(failure_rate=1) as client:
        await client.post("/faults", json={"kind": "status", "status": 503, "path": "/oauth/token", "calls": 1})
        assert (await client.get("/people", headers=KEY)).status_code == 500
        assert (await client.post("/oauth/token", data=GRANT)).status_code == 503
        assert (await client.post("/oauth/token", data=GRANT)).status_code == 401, "tokens do not fail by chance"
        assert (await client.get("/calls")).json()["by_path"] == {"/oauth/token": 2, "/people": 1}
