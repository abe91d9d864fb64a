"""A real terminal of any size with a program in it, and what a person would see on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

SETSID = shutil.which("setsid") or "setsid"


@dataclass(frozen=True, slots=True)
class Look:
    """A character of a screen; `colour` is empty for that of the terminal, else a name that rich knows, or digits."""

    character: str
    colour: str
    bold: bool


class TerminalScreen:
    """Runs one program whose controlling terminal this is: Ctrl-C and changes of the size reach it as signals.

    `raw` is every byte that it wrote. Closing it kills the program with its group.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Lock()
        self._ours, theirs = pty.openpty()
        self._set_size(columns, rows)
        # Readline, which pytest loads, sets COLUMNS behind the back of `os.environ`; whoever runs the tests may have.
        given = {name: value for name, value in (env or os.environ).items() if name not in {"COLUMNS", "LINES"}}
        self._popen = subprocess.Popen(
            [SETSID, "--ctty", *map(str, command)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm-256color", **given},
            cwd=cwd,
        )
        os.close(theirs)
        self.pid = self._popen.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, without blanks at their ends."""
        with self._changed:
            return [each.rstrip() for each in self._screen.display]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def looks(self) -> list[list[Look]]:
        """Return every character of the lines that hold something, with how it looks."""
        with self._changed:
            buffer, columns = self._screen.buffer, self._screen.columns
            lines = [[_look(buffer[row][column]) for column in range(columns)] for row in range(self._screen.lines)]
        while lines and not "".join(each.character for each in lines[-1]).strip():
            lines.pop()
        return lines

    @property
    def shows_cursor(self) -> bool:
        """Whether the cursor can be seen."""
        with self._changed:
            return not self._screen.cursor.hidden

    def running(self) -> bool:
        """Return whether the program runs."""
        return self._popen.poll() is None

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window, as a person does who drags its corner."""
        with self._changed:
            self._screen.resize(rows, columns)
            self._set_size(columns, rows)

    def type(self, text: str) -> None:
        """Press keys; Ctrl-C is `\\x03`."""
        os.write(self._ours, text.encode())

    def ended(self, timeout_s: float = 60.0) -> int:
        """Return the exit code once the program has ended and all that it wrote is on the screen."""
        code = self._popen.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def close(self) -> None:
        """Kill what still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, 9)
        self._popen.wait()
        self._reader.join(5)
        with contextlib.suppress(OSError):
            os.close(self._ours)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        # An error is how Linux says that the other end is closed.
        with contextlib.suppress(OSError):
            while block := os.read(self._ours, 65_536):
                with self._changed:
                    self.raw += block
                    self._stream.feed(block)


def _look(char: pyte.screens.Char) -> Look:
    named = char.fg.replace("brown", "yellow").replace("bright", "bright_")
    colour = {"default": ""}.get(named, f"#{named}" if len(named) == 6 and _is_hex(named) else named)
    return Look(char.data, colour, char.bold)


def _is_hex(text: str) -> bool:
    return all(each in "0123456789abcdef" for each in text)
