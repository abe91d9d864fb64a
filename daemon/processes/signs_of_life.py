"""A worker that says nothing any more: stopped or hung, it holds what others could use, so it is ended and begins anew.

Time is counted in looks, not by a clock: while the parent itself stands still, nobody is taken to be silent.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from daemon.processes.child import Child
from daemon.processes.messages import Channel

SIGN_S = 2.0
LOOK_S = 1.0
PATIENCE_S = 30.0
AWAY_S = 300.0
"""A worker takes seconds to become ready, a minute on a host that is short of memory."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alive:
    """From a worker, every few seconds: its event loop runs."""


async def give_signs_of_life(parent: Channel) -> None:
    """Say so every few seconds, until cancelled."""
    while True:
        parent.send(Alive())
        await asyncio.sleep(SIGN_S)


class SilentChildren:
    """Kills each of `children` that is ready and gives no sign of life for `patience_s` seconds.

    None of them can become ready unless `server_answers`, so only time in which it does counts against one.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        patience_s: float = PATIENCE_S,
        server_answers: Callable[[], bool] = lambda: True,
    ) -> None:
        self._children = children
        self._server_answers = server_answers
        self._patience_s = patience_s
        self._silent_s = Counter[str]()
        self._away_s = Counter[str]()
        for child in children:
            child.on(Alive, partial(self._heard, child.name))
            child.on_end.append(partial(self._begins_anew, child.name))

    @property
    def away(self) -> list[str]:
        """The names of those that have not been ready for minutes while they could be, however often they began."""
        return [name for name, away_s in self._away_s.items() if away_s > AWAY_S]

    async def watch(self) -> None:
        """Look at them every second, until cancelled. Whoever keeps them running starts them again."""
        while True:
            await asyncio.sleep(LOOK_S)
            for child in self._children:
                excused = child.is_ready or not self._server_answers()
                self._away_s[child.name] = 0 if excused else self._away_s[child.name] + 1
                if child.is_ready:
                    self._silent_s[child.name] += 1
                    if self._silent_s[child.name] > self._patience_s / LOOK_S:
                        self._end(child)

    def _heard(self, name: str, _: Alive) -> None:
        self._begins_anew(name)

    def _begins_anew(self, name: str) -> None:
        self._silent_s[name] = 0

    def _end(self, child: Child) -> None:
        logger.error("child.silent", extra={"fields": {"child": child.name, "silent_s": self._patience_s}})
        self._begins_anew(child.name)
        child.send_signal(signal.SIGKILL)
