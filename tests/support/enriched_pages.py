"""Pages of rows for the enrichment client, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from scripted_api import ScriptedApi

from activities.api.client import ApiOptions, CallRow, EnrichmentClient, PageOutcome, PageRows, RowOutcome


def client(api: ScriptedApi, **options: object) -> EnrichmentClient:
    settings = {"url": api.url, "timeout_s": 2.0, "concurrency": 8, **options}
    return EnrichmentClient(ApiOptions(**settings), random=Random(1))  # type: ignore[arg-type]


def row(number: int) -> CallRow:
    return CallRow(number, f"users-{number}", b"{}")


async def enriched(
    made: EnrichmentClient, numbers: range, answered: CallRow | None = None, *, probe: bool = False
) -> tuple[PageOutcome, dict[int, str | None]]:
    """Enrich a page; return what became of it, and of each row its error."""
    kept: list[RowOutcome] = []
    page = PageRows([row(number) for number in numbers], answered=answered, probe=probe)
    outcome = await made.enrich("users", page, keep=kept.append)
    return outcome, {each.number: each.error for each in kept}


async def enriched_at_last(made: EnrichmentClient, numbers: range) -> dict[int, str | None]:
    """Enrich a page as the workflow does: again whenever the API was taken to be down, with what is left."""
    kept: list[RowOutcome] = []
    async with asyncio.timeout(60):
        while True:
            done = {each.number for each in kept}
            page = PageRows([row(number) for number in numbers if number not in done])
            outcome = await made.enrich("users", page, keep=kept.append)
            if outcome.outcome == "done":
                return {each.number: each.error for each in kept}
            await asyncio.sleep(outcome.retry_after_s)


def failing(*bad: int, status: int = 500) -> Callable[[str, int], int]:
    keys = {f"users-{number}" for number in bad}
    return lambda key, _: status if key in keys else 200
