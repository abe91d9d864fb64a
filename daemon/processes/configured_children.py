"""Children that work by a configuration which the parent gives them: at each start, and whenever it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from daemon.processes.child import Child
from daemon.processes.messages import Configure, Configured

PATIENCE_S = 60.0
"""A child that takes longer hangs; it is given the configuration again at its next start."""


class ConfiguredChildren:
    """Hands a configuration to all of `children` and waits until it has taken hold in each that is ready."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._number = 0
        self._waiting: dict[tuple[str, int], asyncio.Future[str]] = {}
        for child in children:
            child.on(Configured, partial(self._answered, child.name))
            child.on_end.append(partial(self._ended, child.name))

    async def configure(self, path: str, content: str) -> list[str]:
        """Return what went wrong, one line a child: nothing where all is well."""
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
            await asyncio.wait(answers.values(), timeout=PATIENCE_S)
        said = {name: answer.result() if answer.done() else "gave no answer" for name, answer in answers.items()}
        for name in answers:
            self._waiting.pop((name, message.number), None)
        return [f"{name}: {error}" for name, error in said.items() if error]

    def _answered(self, name: str, message: Configured) -> None:
        answer = self._waiting.get((name, message.number))
        if answer is not None and not answer.done():
            answer.set_result(message.error)

    def _ended(self, name: str) -> None:
        """Take a child that ended as configured: it begins again with what holds then."""
        for (of, _), answer in self._waiting.items():
            if of == name and not answer.done():
                answer.set_result("")
