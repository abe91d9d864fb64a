"""The pipes between a parent and a worker, in one process: what is sent goes through the same encoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.processes.messages import Mailbox, Message, encoded


class Pipes:
    """A worker as its parent sees it, and the parent as the worker sees it: what one sends the other has at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.on_end: list[Callable[[], None]] = []
        self._from_worker, self._to_worker = Mailbox(), Mailbox()
        self.on = self._from_worker.on
        self.channel = _Channel(self)

    def send(self, message: Message) -> None:
        self._to_worker.take(encoded(message).strip())

    def sent_by_worker(self, message: Message) -> None:
        self._from_worker.take(encoded(message).strip())

    def on_worker(self, kind: type[Any], handler: Callable[[Any], None]) -> None:
        self._to_worker.on(kind, handler)


class _Channel:
    def __init__(self, pipes: Pipes) -> None:
        self.send = pipes.sent_by_worker
        self.on = pipes.on_worker
