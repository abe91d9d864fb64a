"""The API refuses a row: is it this row, or the settings, so that it refuses every row?

A wrong token or address is answered alike for every row; a row that is locked, or not known there, is so alone. So a
refusal counts beside a good answer only: a row that was answered before is asked about once more, and where none ever
was, other rows are called first, one at a time. Rows wait here meanwhile, without an answer of their own.
"""

from __future__ import annotations

from typing import Protocol

from activities.api.checks.outage_check import Checks, ProbeCall
from activities.api.replies import Meaning, Reply
from activities.api.retries import Attempt
from activities.api.rows import PageOutcome
from activities.api.session import Session
from activities.api.transport.replies import public_address


class Page(Protocol):
    """What refused rows need of the page that they belong to."""

    stopped: PageOutcome | None
    checks: Checks

    def finish(self, tried: Attempt, reply: Reply) -> None:
        """Keep the final answer of a row."""

    def back_off(self, tried: Attempt, reply: Reply) -> None:
        """Call a row again after a rest."""

    def note_under_way(self, rows: int) -> None:
        """Note that `rows` more are under way."""

    def queue_up(self) -> None:
        """Be in the queue of the scheduler, if there is a call to make."""

    def stop(self, outcome: PageOutcome) -> None:
        """Begin no further call."""


class RefusedRows:
    """The refused rows of one page that wait for a check."""

    def __init__(self, session: Session, batch_id: str, page: Page) -> None:
        self._session = session
        self._batch_id = batch_id
        self._page = page
        self.rows: list[tuple[Attempt, Reply]] = []
        self._asking = False

    def hold_back(self, calls: int, most: int) -> bool:
        """Return whether no call may begin beside `calls`: one at a time where nothing was ever answered."""
        return len(self.rows) >= most if self._session.answered_row else bool(self.rows and calls)

    def take(self, tried: Attempt, reply: Reply) -> None:
        """Take a row that was refused: finished at once where the API answers others well, else checked."""
        streak = self._session.refusal_streak
        streak.count(self._batch_id, self._session.answered_row)
        if reply.meaning is Meaning.FALLBACK and streak.is_short:
            self._page.finish(tried, reply)
        else:
            self.rows.append((tried, reply))
            self._page.note_under_way(-1)
            self.check()

    def check(self, *, no_more_rows: bool = False) -> None:
        """Decide about what waits, as far as it can be: with `no_more_rows`, no other row will help to."""
        if self._asking or not self.rows or self._page.stopped:
            return
        _, reply = self.rows[-1]
        if self._session.answered_row is not None:
            self._asking = True
            self._page.checks.run(self._ask())
        elif self._session.refusal_streak.is_conclusive(self._batch_id, reply):
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
        """Ask about a row that was answered before, and decide by the answer about the rows refused until now."""
        count, known = len(self.rows), self._session.answered_row
        try:
            answer = await ProbeCall(self._session, known).reply() if known else None
        finally:
            self._asking = False
        if answer is None or answer.is_failure:
            self._again(count)
        elif answer.is_good:
            self._session.refusal_streak.answered_well()
            self._finish(count)
        else:
            if self._session.answered_row is known:
                self._session.remember_answered(None)  # refused by now, whatever the reason, it tells nothing more
            if answer.meaning is Meaning.REFUSED or answer.status == self.rows[count - 1][1].status:
                self._pause(answer)
        self.check()

    def _finish(self, count: int) -> None:
        for tried, reply in self._cut(count):
            self._page.finish(tried, reply)

    def _again(self, count: int) -> None:
        """Call the rows again later: whether the API answers anybody is not known at the moment."""
        if self._session.circuit.is_open:
            self._page.stop(self._session.down())
        for tried, reply in self._cut(count):
            self._page.back_off(tried, reply)

    def _cut(self, count: int) -> list[tuple[Attempt, Reply]]:
        cut, self.rows = self.rows[:count], self.rows[count:]
        self._page.note_under_way(count)
        return cut

    def _pause(self, reply: Reply) -> None:
        self._session.refusal_streak.paused(self._batch_id)
        self._page.stop(PageOutcome("api_refused", self._reason(reply)))

    def _reason(self, reply: Reply) -> str:
        if reply.meaning is Meaning.REFUSED:
            return reply.detail
        address, advice = public_address(self._session.options.url), self._session.options.advice.address
        return f"the API at {address} answers {reply.status} to every row: the address is wrong, not the rows; {advice}"
