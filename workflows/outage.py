"""What a batch does while the API is down: one page at a time asks whether it is back, all others stand still.

The timer is the server's, so a wait outlives the worker, the daemon and the server itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

from workflows.models import Waiting
from workflows.requests import EnrichedPage

SHORTEST_WAIT = timedelta(seconds=1)


class Outage:
    """The waiting state of one batch. `since` outlives continue-as-new; the rest is found out again."""

    def __init__(self, since: str) -> None:
        self.since = since
        self.waiting: Waiting | None = None
        self._prober: int | None = None
        self._delay = SHORTEST_WAIT

    def began(self, page: int, enriched: EnrichedPage) -> None:
        """Note that the API is down; the first page to find out becomes the one that asks."""
        self._delay = max(timedelta(seconds=enriched.retry_after_s), SHORTEST_WAIT)
        now = workflow.now()
        self.since = self.since or now.isoformat(timespec="milliseconds")
        until = (now + self._delay).isoformat(timespec="milliseconds")
        self.waiting = Waiting(on="api", since=self.since, until=until, detail=enriched.detail)
        if self._prober is None:
            self._prober = page

    def ended(self) -> bool:
        """Note that the API answers, and return whether that is news."""
        news = self.waiting is not None
        self.waiting, self._prober, self.since = None, None, ""
        return news

    def is_prober(self, page: int) -> bool:
        """Return whether `page` is the one that asks."""
        return self.waiting is not None and self._prober == page

    def holds(self, page: int) -> bool:
        """Return whether `page` must stand still while another one asks."""
        return self.waiting is not None and self._prober != page

    async def until_next_probe(self, given_up: Callable[[], bool]) -> None:
        """Wait until it is time to ask again, the API is back, or `given_up`."""
        try:
            await workflow.wait_condition(
                lambda: self.waiting is None or given_up(),
                timeout=self._delay,
                timeout_summary="until the API is asked again",
            )
        except TimeoutError:
            return
