"""The parent of this process, at the other end of its pipes: what it says comes on standard input.

End-of-file there means that the parent is gone, even if it was killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable

from daemon.processes.messages import M, Mailbox, Message, encoded

BLOCK_BYTES = 65_536


class Parent:
    """The pipes to the parent. Use it in one event loop."""

    def __init__(self) -> None:
        self._mailbox = Mailbox()
        self._unsent: deque[bytes] = deque()
        self._early = b""

    def listen(self, on_gone: Callable[[], None]) -> None:
        """Handle what comes from now on; `on_gone` is called once, when the parent is gone."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            block = os.read(sys.stdin.fileno(), BLOCK_BYTES)
            if block:
                self._mailbox.take_block(block)
            else:
                loop.remove_reader(sys.stdin)
                on_gone()

        loop.add_reader(sys.stdin, readable)
        self._mailbox.take_block(self._early)

    def first_line(self) -> bytes:
        """Return the first line that the parent sends, and wait for it; empty where it is gone. Before `listen`."""
        content = b""
        while b"\n" not in content:
            block = os.read(sys.stdin.fileno(), BLOCK_BYTES)
            if not block:
                return b""
            content += block
        line, _, rest = content.partition(b"\n")
        self._early = rest
        return line

    def on(self, kind: type[M], handler: Callable[[M], None]) -> None:
        """Call `handler` with each message of the class `kind` that comes from now on."""
        self._mailbox.on(kind, handler)

    def send(self, message: Message) -> None:
        """Send a message without waiting, also while the parent stands still."""
        self._write(encoded(message))

    def ready(self) -> None:
        """Say that this process is ready."""
        self._write(b"ready\n")

    def _write(self, line: bytes) -> None:
        waiting = bool(self._unsent)
        self._unsent.append(line)
        if not waiting:
            os.set_blocking(sys.stdout.fileno(), False)
            self._flush()

    def _flush(self) -> None:
        """Write what the pipe takes now, and the rest when it takes more."""
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                written = os.write(sys.stdout.fileno(), self._unsent[0])
                if written == len(self._unsent[0]):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = self._unsent[0][written:]
        except BlockingIOError:
            loop.add_writer(sys.stdout, self._flush)
            return
        except BrokenPipeError:
            self._unsent.clear()
        loop.remove_writer(sys.stdout)
