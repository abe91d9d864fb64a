"""429, 503 and Retry-After for one row are its own trouble; for every row they slow everybody down."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from enriched_pages import client, enriched, enriched_at_last, failing, row
from scripted_api import scripted_api

from activities.api import retries
from activities.api.client import PageRows, RowOutcome

ASKED = {0: "without", 1: "a short", 20: "a long"}


@pytest.fixture
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a row rest for a moment where it would for seconds."""
    monkeypatch.setattr(retries, "LONGEST_BACKOFF_S", 0.1)


@pytest.mark.usefixtures("short_rests")
@pytest.mark.parametrize("retry_after_s", ASKED, ids=ASKED.values())
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("bad", [1, 17, 30])
async def test_one_row_that_always_says_slow_down_becomes_a_fallback_row(
    status: int, retry_after_s: int, bad: int
) -> None:
    answer = failing(bad, status=status)
    async with scripted_api(answer, retry_after_s=retry_after_s) as api, client(api, concurrency=4) as made:
        async with asyncio.timeout(15):
            outcome, errors = await enriched(made, range(1, 31))
    assert outcome.outcome == "done", outcome.detail
    assert {number: error for number, error in errors.items() if error} == {bad: f"http_{status}"}
    assert api.asked[f"users-{bad}"] == 4, "three attempts, and one more once the API was seen to answer"


@pytest.mark.usefixtures("short_rests")
@pytest.mark.parametrize("status", [429, 503])
async def test_many_rows_that_always_say_slow_down_end_as_fallback_rows(status: int) -> None:
    bad = range(5, 101, 5)
    answer = failing(*bad, status=status)
    async with scripted_api(answer, retry_after_s=20) as api, client(api) as made, asyncio.timeout(30):
        outcome, errors = await enriched(made, range(1, 101))
    assert outcome.outcome == "done", outcome.detail
    assert sorted(number for number, error in errors.items() if error == f"http_{status}") == list(bad)


@pytest.mark.parametrize("status", [429, 503])
async def test_neighbours_do_not_notice_a_row_that_always_asks_for_a_rest(status: int) -> None:
    """The row itself rests for as long as it is asked to; another batch is through long before."""
    async with scripted_api(failing(1, status=status), retry_after_s=20) as api, client(api) as made:
        await enriched(made, range(100, 110))
        bad = asyncio.create_task(made.enrich("bad", PageRows([row(1)]), keep=lambda _: None))
        async with asyncio.timeout(8):
            while not api.asked["users-1"]:
                await asyncio.sleep(0.01)
            outcome, errors = await enriched(made, range(2, 302))
        assert (outcome.outcome, set(errors.values())) == ("done", {None})
        assert not bad.done()
        assert made.session.scheduler.limit.value >= 8
        bad.cancel()
        await asyncio.gather(bad, return_exceptions=True)


async def test_where_everybody_is_asked_for_a_long_rest_the_batch_waits_and_says_so() -> None:
    async with scripted_api(failing(), retry_after_s=20) as api, client(api) as made:
        await enriched(made, range(1, 31))
        api.answer = lambda *_: 503
        calls = api.asked.total()
        outcome, errors = await enriched(made, range(31, 331))
        assert (outcome.outcome, errors) == ("api_down", {})
        assert outcome.retry_after_s > 15
        assert api.asked.total() <= calls + 8 + 1, "those that were on their way, and the question"
        assert made.session.scheduler.in_flight == 0


async def test_an_api_that_never_answered_and_says_429_is_waited_for() -> None:
    async with scripted_api(lambda *_: 429) as api, client(api) as made, asyncio.timeout(30):
        outcome, errors = await enriched(made, range(1, 3))
    assert (outcome.outcome, errors) == ("api_down", {})


@pytest.mark.usefixtures("short_rests")
async def test_an_api_that_turns_away_two_calls_in_five_costs_no_row() -> None:
    chance = Random(1)
    async with scripted_api(lambda *_: 429 if chance.random() < 0.4 else 200) as api, client(api) as made:
        errors = await enriched_at_last(made, range(1, 301))
    assert set(errors.values()) == {None}


@pytest.mark.usefixtures("short_rests")
async def test_an_api_with_a_budget_for_each_moment_costs_no_row() -> None:
    loop = asyncio.get_running_loop()
    spent: dict[int, int] = {}

    def answer(_: str, __: int) -> int:
        moment = int(loop.time() * 10)
        spent[moment] = spent.get(moment, 0) + 1
        return 200 if spent[moment] <= 5 else 429

    async with scripted_api(answer) as api, client(api) as made:
        errors = await enriched_at_last(made, range(1, 101))
    assert set(errors.values()) == {None}


@pytest.mark.usefixtures("short_rests")
async def test_by_setting_a_row_that_always_asks_for_a_rest_holds_nobody_up_either() -> None:
    answer = failing(3, status=503)
    async with scripted_api(answer, retry_after_s=20) as api, client(api, outage="fallback") as made:
        async with asyncio.timeout(15):
            outcome, errors = await enriched(made, range(1, 31))
    assert outcome.outcome == "done"
    assert {number: error for number, error in errors.items() if error} == {3: "http_503"}


async def test_a_question_passes_where_calls_are_held() -> None:
    kept: list[RowOutcome] = []
    async with scripted_api(failing(2, status=503), retry_after_s=20) as api, client(api) as made:
        await enriched(made, range(1, 2))
        made.session.scheduler.hold(20)
        page = asyncio.create_task(made.enrich("users", PageRows([row(3)]), keep=kept.append))
        async with asyncio.timeout(8):
            assert await made.slow_downs.api_is_busy() is False
        assert kept == []
        page.cancel()
        await asyncio.gather(page, return_exceptions=True)
