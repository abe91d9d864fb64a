"""One run from the first start to the last row on disk: the file is dropped, and everything killed again and again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from activities.registry.receipts import Receipt, Receipts
from daemon.batchctl.chaos.mock import MockApi, SeenCalls
from daemon.batchctl.chaos.programs import Program
from daemon.batchctl.chaos.service import ChaosFailed, KeptService
from daemon.batchctl.chaos.site import Site
from daemon.batchctl.chaos.strikes import (
    STOPPED_S,
    How,
    Strike,
    Victim,
    let_go_on,
    order_of_strikes,
    pids_to_strike,
    strike,
)
from daemon.batchctl.chaos.users import write_users

LOOK_S = 0.05
START_S = 60.0
STUCK_S = 120.0
"""Without a further row for so long, it goes on no more."""

LAST_STRIKE = 0.85
"""At this share of the rows everything is killed at once, and then nothing more."""

EARLIEST, LATEST = 0.6, 1.4
"""Shares of the time between two strikes that chance chooses from."""


class Display(Protocol):
    """Shows how far it is."""

    def progress(self, rows: int, doing: str) -> None:
        """Show how many rows are on disk, and what happens."""

    def struck(self, done: Strike) -> None:
        """Show a strike that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for. `seconds` is how long the rows would take without kills, `every_s` the time between them."""

    rows: int
    seconds: float
    every_s: float
    seed: int


class Story:
    """Runs one batch. Whoever makes it calls `end_all` for its site, however it ends."""

    def __init__(self, site: Site, wishes: Wishes, display: Display) -> None:
        self._site, self._wishes, self._display = site, wishes, display
        self._chance = random.Random(wishes.seed)  # noqa: S311 - that it can be repeated is what it is for
        self._receipts = Receipts(site.state_dir)
        self._mock: MockApi | None = None
        self._service: KeptService | None = None
        self._doing = "starting"
        self._began = self._moved_at = time.monotonic()
        self._rows = 0
        self.strikes: list[Strike] = []

    def programs(self) -> list[Program | None]:
        """Return what was started here."""
        mock, service = self._mock, self._service
        return [mock.program if mock else None, service.program if service else None]

    def run(self) -> tuple[Receipt, SeenCalls]:
        """Return the receipt of the batch once it has ended, and the calls that it took.

        Raises:
            ChaosFailed: something does not start, or the batch does not go on.
        """
        service = self._start()
        write_users(self._site.file, self._wishes.rows, self._chance)
        self._began = self._moved_at = time.monotonic()
        self._doing = ""
        self._until(lambda: self._rows > 0 or self._ended(), "the first row is on disk")
        order = order_of_strikes(self._chance)
        while self._work_for(self._wishes.every_s * self._chance.uniform(EARLIEST, LATEST)):
            self._strike(service, *next(order))
        if not self._ended():
            self._strike(service, "kill -9", "everything")
        self._until(lambda: self._ended() and self._site.is_filed(), "the batch has ended and its source is filed")
        ended = self._ended()
        assert ended is not None and self._mock is not None  # noqa: S101, PT018 - waited for, and started
        calls = self._mock.calls()
        self._doing = "stopping"
        self._look()
        service.stop()
        return ended, calls

    @property
    def took_s(self) -> float:
        """Seconds since the file was dropped."""
        return time.monotonic() - self._began

    def _start(self) -> KeptService:
        mock = self._mock = MockApi(self._site, seconds=self._wishes.seconds, seed=self._wishes.seed)
        self._until(lambda: mock.address() or mock.program.ended(), "the mock API answers", START_S)
        if mock.program.ended():
            raise ChaosFailed(f"the mock API did not start: {mock.program.last_words()}")
        self._site.prepare(mock.address())
        service = self._service = KeptService(self._site)
        self._until(service.is_whole, "batchd is ready", START_S)
        return service

    def _work_for(self, seconds: float) -> bool:
        """Let time pass; False once it is time for the last strike, or the batch has ended."""
        end = time.monotonic() + seconds
        last = LAST_STRIKE * self._wishes.rows
        self._until(lambda: time.monotonic() > end or self._rows >= last or self._ended(), "time passes")
        return self._rows < last and not self._ended()

    def _strike(self, service: KeptService, how: How, victim: Victim) -> None:
        """Kill or stop, and return once everything runs again and one more row is on disk, or the batch has ended."""
        self._doing = f"{how} {victim}"
        self._until(lambda: pids_to_strike(self._site, service, victim), f"there is a {victim}")
        pids, at_s = pids_to_strike(self._site, service, victim), self.took_s
        strike(pids, how)
        if how == "stop":
            let_go_at = time.monotonic() + STOPPED_S
            self._until(lambda: time.monotonic() > let_go_at, "a process stands still")
            let_go_on(pids)
        struck_at, rows = time.monotonic(), self._rows
        self._doing = f"{how} {victim}: recovering"
        dead = frozenset(pids if how == "kill -9" else ())
        self._until(lambda: service.is_whole(dead) or self._ended(), "everything runs again")
        self._look()
        rows_before = self._rows
        self._until(lambda: self._rows > rows_before or self._ended(), "one more row is on disk")
        one = Strike(how=how, victim=victim, at_s=round(at_s, 2), pids=pids, rows_on_disk=rows)
        self.strikes.append(one.recovered(time.monotonic() - struck_at))
        self._doing = ""
        self._display.struck(self.strikes[-1])

    def _ended(self) -> Receipt | None:
        """Return the receipt of the batch once it has ended."""
        return next((each for each in self._receipts.newest_first() if each.ended), None)

    def _until(self, check: Callable[[], object], what: str, deadline_s: float = STUCK_S) -> None:
        """Return once `check` is true. Meanwhile the daemon is kept going, and how far it is shown.

        Raises:
            ChaosFailed: for `deadline_s` neither that nor a further row has come.
        """
        begun = time.monotonic()
        while not check():
            if time.monotonic() - max(begun, self._moved_at) > deadline_s:
                raise ChaosFailed(f"nothing has moved for {deadline_s:g} s; waited until {what}")
            self._look()
            time.sleep(LOOK_S)

    def _look(self) -> None:
        if self._service is not None:
            self._service.look()
        rows = self._site.rows_on_disk()
        if rows > self._rows:
            self._rows, self._moved_at = rows, time.monotonic()
        self._display.progress(self._rows, self._doing)
