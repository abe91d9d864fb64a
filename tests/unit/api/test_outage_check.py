"""Bad rows and outages are told apart: the first become fallback rows, the second cost none."""

from __future__ import annotations

import asyncio
import socket
from random import Random

import pytest
from enriched_pages import client, enriched, enriched_at_last, failing, row
from scripted_api import ScriptedApi, scripted_api

from activities.api.checks.outage_check import ProbeCall
from activities.api.client import CallRow, PageRows, RowOutcome


async def test_a_row_over_which_the_api_closes_connections_is_not_called_over_one_used_one_after_another() -> None:
    """While other rows keep many connections busy, each of its calls would find another that was used before."""
    bad = {f"users-{number}" for number in range(50, 2_000, 200)}
    async with scripted_api(lambda key, _: 0 if key in bad else 200) as api, client(api, concurrency=32) as made:
        errors = await enriched_at_last(made, range(1, 2_001))
    assert {f"users-{number}" for number, error in errors.items() if error} == bad
    assert max(api.asked[each] for each in bad) <= 8, "four calls that count, before each one over a used connection"


@pytest.mark.parametrize("status", [500, 503, 0])
async def test_the_last_row_of_a_file_that_always_fails_becomes_a_fallback_row(status: int) -> None:
    async with scripted_api(failing(21, status=status)) as api, client(api) as made:
        await enriched(made, range(1, 21))
        outcome, errors = await enriched(made, range(21, 22))
    assert outcome.outcome == "done"
    assert errors == {21: f"http_{status}" if status else "connect"}
    calls = api.asked["users-21"]
    assert calls <= (4 if status else 6), (
        "three attempts, one more once the API was seen to answer, two stale connections"
    )


async def test_two_bad_rows_of_three_become_fallback_rows() -> None:
    async with scripted_api(failing(1, 3)) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 4))
    assert outcome.outcome == "done"
    assert errors == {1: "http_500", 2: None, 3: "http_500"}


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_an_api_that_never_answered_is_down_however_few_rows_say_so(count: int) -> None:
    async with scripted_api(lambda *_: 500) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 1 + count))
        again, more = await enriched(made, range(1, 1 + count), probe=True)
    assert (outcome.outcome, again.outcome) == ("api_down", "api_down")
    assert errors == more == {}


async def test_a_worker_that_has_just_started_is_told_of_a_row_that_was_answered() -> None:
    async with scripted_api(failing(2)) as api, client(api) as made:
        outcome, errors = await enriched(made, range(2, 3), answered=row(1))
    assert (outcome.outcome, errors) == ("done", {2: "http_500"})


async def test_a_probe_with_a_bad_row_does_not_make_an_outage_of_it() -> None:
    async with scripted_api(failing(2)) as api, client(api) as made:
        outcome, errors = await enriched(made, range(2, 3), answered=row(1), probe=True)
    assert (outcome.outcome, errors) == ("done", {2: "http_500"})


async def test_a_long_run_of_bad_rows_is_no_outage() -> None:
    async with scripted_api(failing(*range(31, 61))) as api, client(api, concurrency=32) as made:
        errors = await enriched_at_last(made, range(1, 61))
    assert sum(error is None for error in errors.values()) == 30
    assert len(errors) == 60


async def test_a_row_whose_attempts_all_fell_into_an_outage_is_called_once_more_after_it() -> None:
    def answer(key: str, _: int) -> int:
        return 500 if key == "users-30" and api.asked["users-30"] <= 3 else 200

    async with scripted_api(answer) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 31))
    assert outcome.outcome == "done"
    assert set(errors.values()) == {None}


async def test_when_most_calls_fail_the_api_is_as_good_as_down_and_no_row_is_given_up() -> None:
    chance = Random(1)
    async with scripted_api(lambda *_: 503 if chance.random() < 0.95 else 200) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 400))
    assert outcome.outcome == "api_down"
    assert [error for error in errors.values() if error] == []


async def test_a_server_that_closes_after_each_answer_without_saying_so_costs_no_attempt() -> None:
    kept: list[RowOutcome] = []
    async with scripted_api(lambda *_: 200, one_answer=True) as api, client(api, attempts=1) as made:
        page = PageRows([row(number) for number in range(1, 301)])
        outcome = await made.enrich("users", page, keep=kept.append)
    assert outcome.outcome == "done"
    assert [each for each in kept if each.error] == []
    assert {status for each in kept for status in each.statuses} <= {"200", "stale"}


async def test_calls_that_the_api_never_saw_use_up_no_retries() -> None:
    kept: list[RowOutcome] = []
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens, so that connections are refused
        nobody = ScriptedApi(failing())
        nobody.url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        async with client(nobody, outage="fallback") as made:
            await made.enrich("users", PageRows([row(number) for number in range(1, 31)]), keep=kept.append)
    assert {each.statuses for each in kept} == {("connect",) * 3}


async def test_an_error_in_a_question_is_raised_where_it_is_awaited() -> None:
    async with scripted_api(lambda *_: 200) as api, client(api) as made, asyncio.timeout(20):
        with pytest.raises(UnicodeEncodeError):
            await ProbeCall(made.session, CallRow(1, "no-ascii-\u00e9", b"{}")).reply()
        assert (await ProbeCall(made.session, row(1)).reply()).status == "200"
        assert made.session.scheduler.in_flight == 0
