"""A secret that is replaced while a batch runs, at an API that has its own way to say that it is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from recipe_apis import APIS
from recipe_pages import Page, Recipe
from recipe_server import Answered, Asked, recipe_server

ROWS = 200
AT_CALL = 40
PAUSE = '{ when = "status == \'REQUEST_DENIED\'", then = "pause", code = "key_refused" }'


@pytest.mark.parametrize(
    "refusal",
    [Answered(401, {}), Answered(403, {}), Answered(200, {"status": "REQUEST_DENIED"})],
    ids=["401", "403", "a rule that says pause"],
)
async def test_a_secret_that_is_rotated_in_mid_batch_costs_no_row_and_no_pause(
    refusal: Answered, tmp_path: Path
) -> None:
    page = Page("people-data")
    page.configuration = page.configuration.replace("rules = [\n", f"rules = [\n  {PAUSE},\n")
    page.rows = [{**page.rows[0], "company": str(number)} for number in range(ROWS)]
    calls, accepted = 0, "old"

    def answers(asked: Asked, _: Answered | None) -> Answered:
        nonlocal calls, accepted
        calls += 1
        if calls == AT_CALL:
            accepted = "new"
            (tmp_path / "secrets/people").write_text("new\n")
        return Answered(200, {"likelihood": 9}) if asked.headers.get("x-api-key") == accepted else refusal

    with recipe_server(replace(APIS[page.name], answers=answers)) as server:
        called = await Recipe.installed(page, tmp_path, "old", origin=server.origin).call()
    assert called.outcome.outcome == "done"
    assert [each.error for each in called.kept] == [None] * ROWS
    assert calls < ROWS + AT_CALL, "only the calls under way at that moment are made again"
