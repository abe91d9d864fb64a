"""Children that work by a configuration which the parent gives them: at each start, and whenever it changes."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from functools import partial

from daemon.processes.child import Child
from daemon.processes.messages import Configure, Configured

PATIENCE_S = 60.0
"""A child that takes longer hangs; it is killed, and begins again."""

logger = logging.getLogger(__name__)


class ConfiguredChildren:
    """Hands a configuration to all of `children` and waits until it has taken hold in each that is ready.

    A child in which it does not take hold is ended: whoever keeps it running starts it again, with what holds then. So
    no two children work by different configurations for longer than that takes.
    """

    def __init__(self, children: Sequence[Child], *, patience_s: float = PATIENCE_S) -> None:
        self._children = children
        self._patience_s = patience_s
        self._number = 0
        self._waiting: dict[tuple[str, int], asyncio.Future[str]] = {}
        for child in children:
            child.on(Configured, partial(self._answered, child.name))
            child.on_end.append(partial(self._ended, child.name))

    async def configure(self, path: str, content: str) -> None:
        """Return once the configuration has taken hold in each child that is ready, or the child was ended."""
        self._number += 1
        message = Configure(self._number, path, content)
        ready = [child for child in self._children if child.is_ready]
        loop = asyncio.get_running_loop()
        answers = {child.name: loop.create_future() for child in ready}
        for name, answer in answers.items():
            self._waiting[name, self._number] = answer
        for child in self._children:
            child.send(message)
        if answers:
            await asyncio.wait(answers.values(), timeout=self._patience_s)
        for child in ready:
            answer = self._waiting.pop((child.name, message.number))
            if not answer.done():
                _begin_anew(child, signal.SIGKILL, f"no answer within {self._patience_s:g} s")
            elif error := answer.result():
                _begin_anew(child, signal.SIGTERM, error)

    def _answered(self, name: str, message: Configured) -> None:
        answer = self._waiting.get((name, message.number))
        if answer is not None and not answer.done():
            answer.set_result(message.error)

    def _ended(self, name: str) -> None:
        """Take a child that ended as configured: it begins again with what holds then."""
        for (of, _), answer in self._waiting.items():
            if of == name and not answer.done():
                answer.set_result("")


def _begin_anew(child: Child, ending: signal.Signals, why: str) -> None:
    logger.error("child.not_configured", extra={"fields": {"child": child.name, "why": why, "sent": ending.name}})
    child.send_signal(ending)
