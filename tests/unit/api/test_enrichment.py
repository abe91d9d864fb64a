"""The enrichment client against the real mock API: retries, fallbacks, outages, fair shares, bulk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import pytest
from installation import Installation, api

from activities.api.client import ApiOptions, CallRow, Caps, EnrichmentClient, PageOutcome, PageRows, RowOutcome

Make = Callable[..., Installation]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> object:
    site = Installation(tmp_path_factory.mktemp("api"))
    yield site.mock_api(LATENCY_MIN_MS="2", LATENCY_MAX_MS="4")
    site.close()


@pytest.fixture(autouse=True)
def _clean(base: str) -> None:
    api(base, "/faults", method="DELETE")
    api(base, "/calls", method="DELETE")


@asynccontextmanager
async def client(base: str, **options: object) -> AsyncIterator[EnrichmentClient]:
    settings = {"url": f"{base}/enrich", "timeout_s": 2.0, **options}
    async with EnrichmentClient(ApiOptions(**settings), random=Random(1)) as made:  # type: ignore[arg-type]
        yield made


def rows(count: int, first: int = 1, batch: str = "users") -> PageRows:
    return PageRows(
        [CallRow(number, f"{batch}-{number}", b'{"country":"US"}') for number in range(first, first + count)]
    )


async def enriched(
    made: EnrichmentClient, count: int, batch: str = "users", **caps: object
) -> tuple[PageOutcome, list[RowOutcome]]:
    kept: list[RowOutcome] = []
    outcome = await made.enrich(batch, rows(count, batch=batch), keep=kept.append, **caps)  # type: ignore[arg-type]
    return outcome, kept


async def test_every_row_is_called_once_and_kept_once(base: str) -> None:
    async with client(base) as made:
        outcome, kept = await enriched(made, 200)
    assert outcome.outcome == "done"
    assert sorted(each.number for each in kept) == list(range(1, 201))
    assert all(each.added == {"country": "US", "enriched": True, "region": "NA"} for each in kept)
    assert api(base, "/calls")["total"] == 200


async def test_a_failing_call_is_made_again_and_the_row_knows_how_often(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 500, "calls": 2})
    async with client(base, concurrency=1) as made:
        _, kept = await enriched(made, 1)
    assert kept[0].statuses == ("500", "500", "200")
    assert kept[0].error is None


async def test_each_call_is_counted_by_its_status_and_each_further_one_for_a_row_as_a_retry(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 500, "calls": 2})
    async with client(base) as made:
        await enriched(made, 20)
        ended, retries = made.session.tally.take()
        assert {status: len(latencies_ms) for status, latencies_ms in ended.items()} == {"200": 20, "500": 2}
        assert retries == 2
        assert all(latency_ms > 0 for latency_ms in ended["200"])
        assert made.session.tally.take() == ({}, 0)


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_a_row_the_api_says_is_wrong_is_a_fallback_at_once(base: str, status: int) -> None:
    api(base, "/faults", {"kind": "status", "status": status, "calls": 1})
    async with client(base, concurrency=1) as made:
        outcome, kept = await enriched(made, 3)
    assert outcome.outcome == "done"
    assert [each.error for each in kept] == [f"http_{status}", None, None]
    assert api(base, "/calls")["total"] == 3


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_stop_the_page_with_no_fallback_row(base: str, status: int) -> None:
    api(base, "/faults", {"kind": "status", "status": status, "share": 1.0})
    async with client(base) as made:
        outcome, kept = await enriched(made, 500)
    assert outcome.outcome == "api_refused"
    assert "BATCH_API_TOKEN" in outcome.detail
    assert kept == []
    assert api(base, "/calls")["total"] <= 8


async def test_a_tenth_of_failures_leaves_hardly_a_fallback_row(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 500, "share": 0.1})
    async with client(base) as made:
        outcome, kept = await enriched(made, 2_000)
    assert outcome.outcome == "done"
    assert len(kept) == 2_000
    assert sum(each.error is not None for each in kept) < 20


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, {"kind": "drop"}, {"kind": "rubbish"}])
async def test_an_outage_turns_no_row_into_a_fallback_and_ends_when_the_api_is_back(
    base: str, fault: dict[str, object]
) -> None:
    kept: list[RowOutcome] = []
    async with client(base) as made:
        await enriched(made, 50, batch="before")
        api(base, "/faults", {**fault, "share": 1.0})
        outcome = await made.enrich("users", rows(500), keep=kept.append)
        assert outcome.outcome == "api_down"
        assert outcome.retry_after_s > 0
        assert [each for each in kept if each.error] == []
        calls = api(base, "/calls")["total"]
        assert (await made.enrich("users", rows(500), keep=kept.append)).outcome == "api_down"
        assert api(base, "/calls")["total"] <= calls + 1, "no storm while it is down"
        api(base, "/faults", method="DELETE")
        while outcome.outcome == "api_down":
            await asyncio.sleep(min(outcome.retry_after_s, 0.2))
            done = {each.number for each in kept}
            left = PageRows([each for each in rows(500).rows if each.number not in done])
            outcome = await made.enrich("users", left, keep=kept.append)
    assert sorted(each.number for each in kept) == list(range(1, 501))
    assert [each for each in kept if each.error] == []


@pytest.mark.parametrize("concurrency", [1, 2, 8, 64])
async def test_an_outage_that_begins_among_answers_turns_no_row_into_a_fallback(base: str, concurrency: int) -> None:
    kept: list[RowOutcome] = []

    def keep(outcome: RowOutcome) -> None:
        kept.append(outcome)
        if len(kept) == 100:
            loop.run_in_executor(None, partial(api, base, "/faults", {"kind": "status", "status": 503, "share": 1.0}))

    loop = asyncio.get_running_loop()
    async with client(base, concurrency=concurrency) as made:
        outcome = await made.enrich("users", rows(5_000), keep=keep)
    assert outcome.outcome == "api_down"
    assert [each for each in kept if each.error] == []


async def test_by_setting_an_outage_makes_fallback_rows_at_no_more_than_1_2_calls_a_row(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 500, "share": 1.0})
    async with client(base, outage="fallback") as made:
        outcome, kept = await enriched(made, 1_000)
    assert outcome.outcome == "done"
    assert {each.error for each in kept} == {"http_500"}
    assert api(base, "/calls")["total"] <= 1_200


async def test_by_setting_an_outage_stops_no_page_and_no_later_one(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 500, "share": 1.0})
    async with client(base, outage="fallback") as made:
        found = await asyncio.gather(*(enriched(made, 50, batch=f"b{number}") for number in range(6)))
    assert [outcome.outcome for outcome, _ in found] == ["done"] * 6
    assert sum(len(kept) for _, kept in found) == 300


async def test_an_api_that_allows_few_calls_a_second_costs_no_row(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 429, "share": 0.4})
    async with client(base) as made:
        outcome, kept = await enriched(made, 15)
        while outcome.outcome == "api_down":
            await asyncio.sleep(min(outcome.retry_after_s, 0.2))
            done = {each.number for each in kept}
            left = PageRows([each for each in rows(15).rows if each.number not in done])
            outcome = await made.enrich("users", left, keep=kept.append)
    assert sorted(each.number for each in kept) == list(range(1, 16))
    assert [each for each in kept if each.error] == []


async def test_a_long_retry_after_is_an_outage_that_the_api_announced(base: str) -> None:
    api(base, "/faults", {"kind": "status", "status": 503, "retry_after": 20, "calls": 1})
    async with client(base, concurrency=1) as made:
        outcome, kept = await enriched(made, 10)
    assert (outcome.outcome, kept) == ("api_down", [])
    assert 19 < outcome.retry_after_s < 21


async def test_a_small_file_beside_a_huge_one_gets_its_share_of_the_gate(base: str) -> None:
    order: list[str] = []
    async with client(base, concurrency=8) as made:
        huge = asyncio.create_task(made.enrich("huge", rows(5_000, batch="huge"), keep=lambda _: order.append("huge")))
        while len(order) < 100:
            await asyncio.sleep(0.01)
        before = len(order)
        await made.enrich("tiny", rows(20, batch="tiny"), keep=lambda _: order.append("tiny"))
        beside = order[before:].count("huge")
        huge.cancel()
        await asyncio.gather(huge, return_exceptions=True)
    assert beside < 100, "they take turns, so about as many of one as of the other"


async def test_calls_in_flight_never_exceed_the_setting_over_all_batches(base: str) -> None:
    async with client(base, concurrency=5) as made:
        await asyncio.gather(*(enriched(made, 100, batch=f"b{number}") for number in range(4)))
    assert api(base, "/calls")["most_in_flight"] <= 5


async def test_a_batch_can_be_held_to_fewer_calls_than_the_service(base: str) -> None:
    async with client(base, concurrency=16) as made:
        await enriched(made, 200, caps=Caps(concurrency=2))
    assert api(base, "/calls")["most_in_flight"] <= 2


async def test_a_rate_spreads_the_calls(base: str) -> None:
    async with client(base, rate=100.0) as made:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await enriched(made, 60)
        took_s = loop.time() - began
    assert took_s > 0.4, "60 calls at 100 a second, but for the burst of ten"


@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
async def test_retry_after_holds_the_whole_gate(base: str, bulk: bool) -> None:
    options = {"bulk_url": f"{base}/enrich/bulk", "bulk_size": 5} if bulk else {}
    async with client(base, concurrency=4, **options) as made:
        await enriched(made, 10, batch="warm")
        api(base, "/faults", {"kind": "status", "status": 429, "retry_after": 1, "share": 1.0})
        task = asyncio.create_task(enriched(made, 200))
        while api(base, "/calls")["by_status"].get("429") is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        held = api(base, "/calls")["total"]
        await asyncio.sleep(0.4)
        assert api(base, "/calls")["total"] == held
        api(base, "/faults", method="DELETE")
        outcome, kept = await task
    assert outcome.outcome == "done"
    assert len(kept) == 200


async def test_called_off_it_keeps_the_answers_in_flight_and_starts_no_call(base: str) -> None:
    kept: list[RowOutcome] = []
    async with client(base, concurrency=8) as made:
        task = asyncio.create_task(made.enrich("users", rows(5_000), keep=kept.append))
        while len(kept) < 50:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        total = api(base, "/calls")["total"]
        await asyncio.sleep(0.1)
    assert api(base, "/calls")["total"] == total == len(kept)


async def test_an_error_of_the_keeper_is_not_lost(base: str) -> None:
    def full(_: RowOutcome) -> None:
        raise OSError("disk full")

    async with client(base) as made:
        with pytest.raises(OSError, match="disk full"):
            await made.enrich("users", rows(100), keep=full)


@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
async def test_an_error_at_any_reply_ends_its_page_only_and_takes_up_no_call_afterwards(base: str, bulk: bool) -> None:
    def learn(*_: object, **__: object) -> None:
        made.session.learn = meant  # type: ignore[method-assign]
        raise RuntimeError("cannot learn")

    async with client(base, **({"bulk_url": f"{base}/enrich/bulk"} if bulk else {})) as made, asyncio.timeout(20):
        meant, made.session.learn = made.session.learn, learn  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="cannot learn"):
            await made.enrich("users", rows(100), keep=lambda _: None)
        assert made.session.scheduler.in_flight == 0
        outcome, kept = await enriched(made, 20, batch="others")
    assert (outcome.outcome, len(kept)) == ("done", 20)


async def test_a_call_that_cannot_be_begun_ends_its_page_with_the_error(base: str) -> None:
    async with client(base) as made, asyncio.timeout(20):
        with pytest.raises(UnicodeEncodeError):
            await made.enrich("users", PageRows([CallRow(1, "no-ascii-\u00e9", b"{}")]), keep=lambda _: None)
        assert made.session.scheduler.in_flight == 0


async def test_bulk_keeps_each_rows_own_outcome_and_the_failed_ones_are_called_one_by_one(base: str) -> None:
    async with client(base, bulk_url=f"{base}/enrich/bulk", bulk_size=10) as made:
        outcome, kept = await enriched(made, 95)
        assert api(base, "/calls")["total"] == 10
        api(base, "/faults", {"kind": "status", "status": 500, "calls": 1})
        again, more = await enriched(made, 10, batch="more")
    assert (outcome.outcome, again.outcome) == ("done", "done")
    assert sorted(each.number for each in kept) == list(range(1, 96))
    assert all(each.error is None for each in [*kept, *more])
    assert api(base, "/calls")["total"] == 10 + 1 + 10
