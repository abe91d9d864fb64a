"""Every call of a client is counted against the quota of its API: those that ask whether it is back, too."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from enriched_pages import row
from scripted_api import scripted_api

from activities.api.client import ApiOptions, EnrichmentClient, PageRows, RowOutcome
from activities.api.options import LONGEST_HELD_S


class FewCalls:
    """A quota of so many calls that does not come back."""

    why = "the quota is used up"

    def __init__(self, calls: int) -> None:
        self._left = calls
        self.on_free = lambda: None

    def wait_s(self) -> float:
        return 0.0 if self._left else 3_600.0

    def take(self) -> None:
        self._left -= 1

    def close(self) -> None:
        """Nothing to give back."""


async def test_a_probe_and_the_row_that_is_asked_beside_it_never_go_past_the_quota() -> None:
    quota: Any = FewCalls(3)
    failing = {"users-3", "users-1"}
    async with scripted_api(
        lambda key, times: 500 if key in failing and (key, times) != ("users-1", 1) else 200
    ) as api:
        options = ApiOptions(url=api.url, concurrency=1, timeout_s=2.0)
        async with EnrichmentClient(options, quota=quota, random=Random(1)) as made, asyncio.timeout(20):
            kept: list[RowOutcome] = []
            await made.enrich("users", PageRows([row(2), row(1)]), keep=kept.append)
            assert len(kept) == 2
            outcome = await made.enrich("users", PageRows([row(3)], probe=True), keep=kept.append)
            assert (outcome.outcome, outcome.detail) == ("api_down", "the quota is used up")
            assert outcome.retry_after_s >= LONGEST_HELD_S, "asking sooner would find out nothing"
            again = await made.enrich("users", PageRows([row(4)], probe=True), keep=kept.append)
            assert again.outcome == "api_down"
    assert sum(api.asked.values()) == 3
