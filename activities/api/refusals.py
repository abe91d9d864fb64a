"""The API refuses a row: is it this row, or the settings, so that it refuses every row?

A wrong token or address is answered alike for every row; a row that is locked, or not known there, is so alone. So a
refusal counts beside a good answer only: a row that was answered before is asked about once more, and where none ever
was, other rows are called first, one at a time. Rows wait here meanwhile, without an answer of their own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from activities.api.outage_check import Question
from activities.api.replies import Meaning, Reply
from activities.api.rows import CallRow, PageOutcome
from activities.api.transport.replies import shown
from activities.api.tries import Try

if TYPE_CHECKING:
    from activities.api.client import EnrichmentClient
    from activities.api.page_run import PageCalls

ROWS_THAT_TELL = 10
"""Refused in a row, with no good answer between, they say that the address is wrong."""

REFUSED_ROWS_THAT_TELL = 3
"""The same for the credentials: an API may lock out who tries too often."""


class Refusals:
    """What the refusals since the last good answer amount to, over all batches of a worker."""

    def __init__(self) -> None:
        self._answered: CallRow | None = None
        self._in_a_row = 0
        self._answers_well = False
        self._pauses = Counter[str]()
        self._since_pause = Counter[str]()

    def know(self, row: CallRow | None) -> None:
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
    def are_few(self) -> bool:
        """Whether a good answer came so lately that the address is right."""
        return self._answers_well and self._in_a_row <= ROWS_THAT_TELL

    def tell(self, batch_id: str, reply: Reply) -> bool:
        """Tell whether they are so many that the settings are at fault; twice as many each time `batch_id` goes on."""
        enough = REFUSED_ROWS_THAT_TELL if reply.meaning is Meaning.REFUSED else ROWS_THAT_TELL
        pauses = self._pauses[batch_id]
        return self._in_a_row >= enough and (not pauses or self._since_pause[batch_id] >= enough * 2**pauses)

    def paused(self, batch_id: str) -> None:
        """Note that a batch pauses because of them."""
        self._pauses[batch_id] += 1
        self._since_pause[batch_id] = 0
        self._answers_well = False


class RefusedRows:
    """The refused rows of one page that wait to be judged."""

    def __init__(self, client: EnrichmentClient, batch_id: str, page: PageCalls) -> None:
        self._client = client
        self._batch_id = batch_id
        self._page = page
        self.rows: list[tuple[Try, Reply]] = []
        self._asking = False

    def hold_back(self, calls: int, most: int) -> bool:
        """Tell whether no call may begin beside `calls`: one at a time where nothing was ever answered."""
        return len(self.rows) >= most if self._client.answered_row else bool(self.rows and calls)

    def take(self, tried: Try, reply: Reply) -> None:
        """Take a row that was refused: finished at once where the API answers others well, else judged."""
        refusals = self._client.refusals
        refusals.count(self._batch_id, self._client.answered_row)
        if reply.meaning is Meaning.FALLBACK and refusals.are_few:
            self._page.finish(tried, reply)
        else:
            self.rows.append((tried, reply))
            self._page.note_under_way(-1)
            self.judge()

    def judge(self, *, no_more_rows: bool = False) -> None:
        """Judge what waits, as far as it can be: with `no_more_rows`, that is all there is to judge by."""
        if self._asking or not self.rows or self._page.stopped:
            return
        _, reply = self.rows[-1]
        if self._client.answered_row is not None:
            self._asking = True
            self._page.attend(self._ask())
        elif self._client.refusals.tell(self._batch_id, reply):
            self._pause(reply)
        elif no_more_rows:
            refused = [each for _, each in self.rows if each.meaning is Meaning.REFUSED]
            if refused:
                self._pause(refused[0])
            else:
                self.finish()
        else:
            self._page.queue_up()

    def finish(self) -> None:
        """Finish what waits as fallback rows: the API answers other rows."""
        if not self._asking:
            self._finish(len(self.rows))

    async def _ask(self) -> None:
        """Ask about a row that was answered before, and judge by the answer the rows that were refused until now."""
        count, known = len(self.rows), self._client.answered_row
        try:
            answer = await Question(self._client, known).reply() if known else None
        finally:
            self._asking = False
        if answer is None or answer.meaning is Meaning.RETRY:
            self._again(count)
        elif answer.meaning is Meaning.DONE:
            self._client.refusals.answered_well()
            self._finish(count)
        else:
            if self._client.answered_row is known:
                self._client.remember_answered(None)  # refused by now, whatever the reason, it tells nothing more
            if answer.meaning is Meaning.REFUSED or answer.status == self.rows[count - 1][1].status:
                self._pause(answer)
        self.judge()

    def _finish(self, count: int) -> None:
        for tried, reply in self._cut(count):
            self._page.finish(tried, reply)

    def _again(self, count: int) -> None:
        """Call the rows again later: whether the API answers anybody is not known at the moment."""
        if self._client.circuit.is_open:
            self._page.stop(self._client.down())
        for tried, reply in self._cut(count):
            self._page.back_off(tried, reply)

    def _cut(self, count: int) -> list[tuple[Try, Reply]]:
        cut, self.rows = self.rows[:count], self.rows[count:]
        self._page.note_under_way(count)
        return cut

    def _pause(self, reply: Reply) -> None:
        self._client.refusals.paused(self._batch_id)
        self._page.stop(PageOutcome("api_refused", self._reason(reply)))

    def _reason(self, reply: Reply) -> str:
        if reply.meaning is Meaning.REFUSED:
            return reply.detail
        return (
            f"the API at {shown(self._client.options.url)} answers {reply.status} to every row: the address is wrong, "
            "not the rows; mend BATCH_API_URL, restart, then resume (where the address is right and these rows are "
            "not known there, resume alone goes further before it pauses again)"
        )
