"""A refusal is the row's where others are answered, and the settings' where all rows are refused alike."""

from __future__ import annotations

import pytest
from enriched_pages import client, enriched, failing, row
from scripted_api import scripted_api

from activities.api.client import CallRow, EnrichmentClient, PageOutcome, PageRows, RowOutcome
from activities.api.session import CONCLUSIVE_REFUSED_ROWS, CONCLUSIVE_ROWS

REFUSALS = [401, 403, 402, 404, 405, 308]


async def enriched_bulk(made: EnrichmentClient, numbers: range) -> tuple[PageOutcome, list[RowOutcome]]:
    kept: list[RowOutcome] = []
    return await made.enrich("users", PageRows([row(number) for number in numbers]), keep=kept.append), kept


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("bad", [1, 17, 30])
@pytest.mark.parametrize("concurrency", [1, 8])
async def test_one_row_that_is_always_refused_becomes_a_fallback_row(status: int, bad: int, concurrency: int) -> None:
    async with scripted_api(failing(bad, status=status)) as api, client(api, concurrency=concurrency) as made:
        outcome, errors = await enriched(made, range(1, 31))
    assert outcome.outcome == "done", outcome.detail
    assert {number: error for number, error in errors.items() if error} == {bad: f"http_{status}"}
    assert sum(api.asked.values()) <= 31, "one question more than rows"


@pytest.mark.parametrize("status", REFUSALS)
async def test_the_last_row_of_a_file_is_judged_by_a_row_that_was_answered_before(status: int) -> None:
    async with scripted_api(failing(2, status=status)) as api, client(api) as made:
        outcome, errors = await enriched(made, range(2, 3), answered=row(1))
    assert (outcome.outcome, errors) == ("done", {2: f"http_{status}"})


@pytest.mark.parametrize("status", REFUSALS)
async def test_many_refused_rows_among_good_ones_become_fallback_rows_at_few_calls_more(status: int) -> None:
    bad = range(3, 301, 2)
    async with scripted_api(failing(*bad, status=status)) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 301))
    assert outcome.outcome == "done"
    assert sorted(number for number, error in errors.items() if error) == list(bad)
    assert sum(api.asked.values()) < 300 + len(bad)


@pytest.mark.parametrize(("status", "word"), [(401, "BATCH_API_TOKEN"), (403, "BATCH_API_TOKEN")])
async def test_refused_credentials_stop_the_page_after_few_calls(status: int, word: str) -> None:
    async with scripted_api(lambda *_: status) as api, client(api, concurrency=1) as made:
        outcome, errors = await enriched(made, range(1, 101))
    assert (outcome.outcome, errors) == ("api_refused", {})
    assert word in outcome.detail
    assert sum(api.asked.values()) == CONCLUSIVE_REFUSED_ROWS


@pytest.mark.parametrize("rows", [1, 2])
async def test_refused_credentials_stop_even_the_smallest_file(rows: int) -> None:
    async with scripted_api(lambda *_: 403) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 1 + rows))
    assert (outcome.outcome, errors) == ("api_refused", {})


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize("status", [404, 405, 308, 402])
async def test_an_address_that_is_wrong_for_every_row_stops_the_page_before_a_row_is_spent(
    status: int, concurrency: int
) -> None:
    async with scripted_api(lambda *_: status) as api, client(api, concurrency=concurrency) as made:
        outcome, errors = await enriched(made, range(1, 501))
    assert (outcome.outcome, errors) == ("api_refused", {})
    assert f"{api.url} answers {status} to every row" in outcome.detail
    assert "BATCH_API_URL" in outcome.detail
    assert sum(api.asked.values()) <= CONCLUSIVE_ROWS + 8


async def test_once_the_address_is_mended_every_row_is_enriched() -> None:
    async with scripted_api(lambda *_: 404) as api, client(api) as made:
        await enriched(made, range(1, 101))
        api.answer = failing()
        outcome, errors = await enriched(made, range(1, 101))
    assert outcome.outcome == "done"
    assert set(errors.values()) == {None}


async def test_a_file_too_small_to_tell_a_wrong_address_has_fallback_rows() -> None:
    async with scripted_api(lambda *_: 404) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 4))
    assert (outcome.outcome, errors) == ("done", dict.fromkeys(range(1, 4), "http_404"))


async def test_many_small_files_tell_a_wrong_address_together() -> None:
    async with scripted_api(lambda *_: 404) as api, client(api) as made:
        pages = [
            PageRows([CallRow(number, f"small-{file}-{number}", b"{}") for number in (1, 2)]) for file in range(20)
        ]
        outcomes = [await made.enrich(f"small-{file}", page, keep=lambda _: None) for file, page in enumerate(pages)]
    assert [each.outcome for each in outcomes] == ["done"] * 4 + ["api_refused"] * 16


async def test_a_batch_whose_first_rows_are_all_unknown_gets_past_them_by_being_resumed() -> None:
    async with scripted_api(failing(*range(1, 61), status=404)) as api, client(api) as made:
        outcomes = []
        for _ in range(5):
            outcome, errors = await enriched(made, range(1, 101))
            outcomes.append(outcome.outcome)
            if outcome.outcome == "done":
                break
    assert outcomes == ["api_refused"] * 3 + ["done"]
    assert sum(error == "http_404" for error in errors.values()) == 60


@pytest.mark.parametrize("status", [401, 404])
async def test_an_address_or_token_that_becomes_wrong_in_mid_file_spends_few_rows(status: int) -> None:
    answered = 0

    def answer(_: str, __: int) -> int:
        nonlocal answered
        answered += 1
        return 200 if answered <= 50 else status

    async with scripted_api(answer) as api, client(api) as made:
        outcome, errors = await enriched(made, range(1, 501))
    assert outcome.outcome == "api_refused"
    assert len(errors) <= 50 + (CONCLUSIVE_ROWS if status == 404 else 0)
    assert sum(api.asked.values()) <= 50 + CONCLUSIVE_ROWS + 8 + 8


async def test_a_probe_with_a_refused_row_ends_the_outage_and_not_the_batch() -> None:
    async with scripted_api(failing(1, status=403)) as api, client(api) as made:
        made.session.circuit.open("http_503")
        made.session.circuit.take_probe = lambda: True  # type: ignore[method-assign]
        outcome, errors = await enriched(made, range(1, 2), probe=True)
        assert not made.session.circuit.is_open
        again, more = await enriched(made, range(1, 11))
    assert (outcome.outcome, errors, again.outcome) == ("done", {}, "done")
    assert [number for number, error in more.items() if error] == [1]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_row_that_was_answered_before_and_is_gone_by_now_does_not_stop_the_page(status: int) -> None:
    bad = {"users-1": 410, "users-2": status}
    async with scripted_api(lambda key, _: bad.get(key, 200)) as api, client(api) as made:
        outcome, errors = await enriched(made, range(2, 12), answered=row(1))
    assert outcome.outcome == "done"
    assert [number for number, error in errors.items() if error] == [2]


async def test_where_a_bulk_call_is_refused_the_rows_are_judged_one_by_one() -> None:
    def answer(key: str, _: int) -> int:
        return 403 if key in {"", "users-7"} else 200

    async with scripted_api(answer) as api, client(api, bulk_url=api.url, bulk_size=10) as made:
        outcome, kept = await enriched_bulk(made, range(1, 21))
    assert outcome.outcome == "done"
    assert [each.number for each in kept if each.error] == [7]
