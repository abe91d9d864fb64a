"""What one worker knows of its API, over all batches: shared by all that makes calls or decides what comes of them.

Everything else in this folder imports it and it imports none of that: who wants to know of failed calls registers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random

from activities.api.call_tally import CallTally
from activities.api.calls.posted_rows import PostedRows
from activities.api.circuit_breaker import CircuitBreaker
from activities.api.limits.call_scheduler import CallScheduler
from activities.api.limits.shares import Shares
from activities.api.options import ApiOptions
from activities.api.others import Others
from activities.api.replies import UNSENT, Meaning, Reply
from activities.api.retries import RetryBudget
from activities.api.rows import CallRow, PageOutcome, RowCalls
from activities.api.transport.headers import origin_of

CONCLUSIVE_ROWS = 10
"""So many refused in a row, with no good answer between, show that the address is wrong."""

CONCLUSIVE_REFUSED_ROWS = 3
"""The same for the credentials: an API may lock out who tries too often."""

OnFailure = Callable[[Reply, object], None]
"""Takes a failed reply, and the try or the rows of a bulk call that it is for. Must not raise."""


class Session:
    """The options, the transport and what all calls of a worker share.

    `answered_row` is a row that the API has answered. `rows_under_way` counts those begun and not finished.
    `outage_check_lock` is held while it is found out whether the API is down, so that it is asked once.
    """

    def __init__(
        self,
        options: ApiOptions,
        *,
        random: Random,
        clock: Callable[[], float],
        posted_rows: PostedRows | None,
        shares: Shares | None = None,
        others: Others | None = None,
    ) -> None:
        self._random = random
        self.options = options
        self.clock = clock
        self.others = others or Others()
        self.scheduler = CallScheduler(options.concurrency, options.rate, clock, shares=shares, others=self.others)
        self.circuit = CircuitBreaker(clock, random, longest_asked_s=options.max_wait_s, others=self.others)
        self.others.join(self.circuit, self.scheduler)
        self.budget = RetryBudget()
        self.tally = CallTally()
        self.posted_rows = posted_rows
        self.refusal_streak = RefusalStreak()
        self.rows_under_way = 0
        self.answered_row: CallRow | None = None
        self.outage_check_lock = asyncio.Lock()
        self.on_failure: list[OnFailure] = []
        """Called for each failed reply, in this order."""
        self._sequence = count()

    def adopt(self, options: ApiOptions) -> None:
        """Work by other options from now on.

        What is known of the API, whether it is up and how many calls it takes, is kept where its address stayed.
        """
        moved = origin_of(options.url) != origin_of(self.options.url)
        self.options = options
        self.circuit.longest_asked_s = options.max_wait_s
        if moved:
            self.remember_answered(None)
            self.scheduler.limit.restart()
        if moved or options.outage == "fallback":
            self.circuit.close()

    def remember_answered(self, row: CallRow | None) -> None:
        """Remember a row that was answered at some time before, or forget the last one."""
        self.answered_row = row
        self.refusal_streak.remember_answered(row)

    def calls_of(self, row: CallRow) -> RowCalls:
        """Return what makes the calls of a row."""
        calls = row.calls or self.posted_rows
        assert calls is not None, "a row of a described API says what calls it"  # noqa: S101 - a caller's mistake
        return calls

    def next_sequence(self) -> int:
        """Return the number of a page in the order in which pages came."""
        return next(self._sequence)

    def jitter(self, most_s: float) -> float:
        """Return a time between nothing and `most_s`: full jitter spreads retries best."""
        return self._random.uniform(0, most_s)

    def learn(self, reply: Reply, *, saturated: bool, called: object = None) -> None:
        """Take from a reply what it says about the API as a whole. `called`: the try, or the rows of a bulk call."""
        took_s = reply.latency_ms / 1_000
        if reply.status == UNSENT:
            return
        self.tally.ended[reply.status].append(reply.latency_ms)
        if reply.meaning is Meaning.WAIT:
            self.circuit.open(reply.detail, asked_s=reply.retry_after_s or 0.0)
            return
        if reply.meaning is not Meaning.RETRY:
            self.circuit.succeeded(took_s)
            if reply.is_good:
                self.scheduler.limit.succeeded(took_s, saturated=saturated)
            return
        if reply.status == "timeout":
            self.scheduler.limit.timed_out()
        for listener in self.on_failure:
            listener(reply, called)

    def down(self) -> PageOutcome:
        """Return the outcome of a page that must wait for the API."""
        return PageOutcome("api_down", self.circuit.detail, self.circuit.retry_after_s())


class RefusalStreak:
    """What the refusals since the last good answer amount to, over all batches of a worker."""

    def __init__(self) -> None:
        self._answered: CallRow | None = None
        self._in_a_row = 0
        self._answers_well = False
        self._pauses = Counter[str]()
        self._since_pause = Counter[str]()

    def remember_answered(self, row: CallRow | None) -> None:
        """Note a row that was answered before this worker was started, or that none is known any more."""
        self._answered = row

    def count(self, batch_id: str, answered: CallRow | None) -> None:
        """Count a refusal; `answered` is the row that was answered last."""
        if answered is not self._answered:
            self._answered = answered
            self.answered_well()
        self._in_a_row += 1
        self._since_pause[batch_id] += 1

    def answered_well(self) -> None:
        """Note a good answer: address and credentials are right."""
        self._in_a_row = 0
        self._answers_well = True
        self._pauses.clear()
        self._since_pause.clear()

    @property
    def is_short(self) -> bool:
        """Whether a good answer came so lately that the address is right."""
        return self._answers_well and self._in_a_row <= CONCLUSIVE_ROWS

    def is_conclusive(self, batch_id: str, reply: Reply) -> bool:
        """Return whether they are enough to blame the settings; twice as many each time `batch_id` goes on."""
        enough = CONCLUSIVE_REFUSED_ROWS if reply.meaning is Meaning.REFUSED else CONCLUSIVE_ROWS
        pauses = self._pauses[batch_id]
        return self._in_a_row >= enough and (not pauses or self._since_pause[batch_id] >= enough * 2**pauses)

    def paused(self, batch_id: str) -> None:
        """Note that a batch pauses because of them."""
        self._pauses[batch_id] += 1
        self._since_pause[batch_id] = 0
        self._answers_well = False
