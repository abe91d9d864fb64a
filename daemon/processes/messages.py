"""What the parent and its worker processes say to each other: one JSON object a line, over the pipes of the child.

A message is a frozen dataclass of JSON-safe fields; its `kind` on the wire is the name of its class. Whoever wants
messages of a class says so with `on`. A new message needs a class and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from workflows.errors import shortened

BEGINNING = b'{"kind":'
"""What no other line begins with that a child prints."""

LONGEST_BYTES = 1_048_576
"""Of one message, either way."""

logger = logging.getLogger(__name__)


class Message(Protocol):
    """A frozen dataclass of JSON-safe fields."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Configure:
    """To a worker: the file that holds from now on, as it was read and checked. Both empty: `BATCH_*` variables."""

    number: int
    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Configured:
    """From a worker: the file of this number has taken hold; `error` says why it has not."""

    number: int
    error: str = ""


class Channel(Protocol):
    """One end of the pipes between the parent and a child."""

    def send(self, message: Message) -> None:
        """Send a message without waiting. Does nothing where the other side is gone."""

    def on(self, kind: type[M], handler: Callable[[M], None]) -> None:
        """Call `handler` with each message of the class `kind` that comes from now on; earlier ones are lost."""


def encoded(message: Message) -> bytes:
    """Return a message as a line, with its end."""
    fields = orjson.dumps(message)
    kind = orjson.dumps(type(message).__name__)
    return BEGINNING + kind + (b"}" if fields == b"{}" else b"," + fields[1:]) + b"\n"


class Mailbox:
    """Gives each message to whoever wants its kind."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[type, Callable[[Any], None]]] = {}
        self._rest = b""

    def on(self, kind: type[M], handler: Callable[[M], None]) -> None:
        """Call `handler` with each message of the class `kind`."""
        self._handlers[kind.__name__] = (kind, handler)

    def take_block(self, block: bytes) -> None:
        """Take what was read of the pipe: whole lines are handled, the rest waits for its end."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self.take(line)

    def take(self, line: bytes) -> bool:
        """Handle one line; return False where it is no message. One that nobody wants is dropped.

        A message that cannot be read, as from another version, is logged and dropped.
        """
        if not line.startswith(BEGINNING):
            return False
        try:
            fields = orjson.loads(line)
            kind, handler = self._handlers.get(fields.pop("kind"), (None, None))
            message = _reader(kind).validate_python(fields) if kind else None
        except (ValueError, ValidationError) as error:
            logger.warning("message.unreadable", extra={"fields": {"error": shortened(str(error), 300)}})
            return True
        if handler is not None:
            try:
                handler(message)
            except Exception:  # whatever it is, the messages that follow are read
                logger.exception("message.not_handled", extra={"fields": {"kind": type(message).__name__}})
        return True


def read_message(kind: type[M], line: bytes) -> M | None:
    """Return the message of a line; None where it is none of this kind."""
    if not line.startswith(BEGINNING):
        return None
    fields = orjson.loads(line)
    message: M | None = _reader(kind).validate_python(fields) if fields.pop("kind") == kind.__name__ else None
    return message


@cache
def _reader(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
