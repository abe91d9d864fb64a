"""Places where a process can be killed or the system made to fail: faults cannot be trusted to come on their own.

`BATCHD_FAILPOINTS` arms them when the program starts: `name:n:action`, several separated by commas. The n-th time the
place called `name` is passed (`*` counts every place), the action happens:

    kill            SIGKILL of this process, as the kernel does it
    stop            SIGSTOP of this process: a zombie, to be continued by SIGCONT
    hang            this thread, or event loop, goes no further
    error:ENOSPC    an OSError with that number; for places before an effect, where the system can fail too
    short           half of what is to be written there is written; for places of a write

`activities.disk.failpoint_places` names them all, `batchd failpoints` lists them. Unarmed, one costs a function call.
Where `BATCHD_FAILPOINTS_LOG` names a file, what acts is noted there first, a line each: seconds since 1970, pid, trap.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from activities.disk.failpoint_places import EVERY_PLACE, PLACES
from workflows.errors import SettingsError

VARIABLE = "BATCHD_FAILPOINTS"
LOG_VARIABLE = "BATCHD_FAILPOINTS_LOG"
_SHORT = "short"
_MIN_PARTS = 3

Hook = Callable[[str], str | None]
"""Is called with the name of each failpoint that is passed; it may return `short`, and raise."""


@dataclass(slots=True)
class _Trap:
    name: str
    passes_left: int
    action: str
    text: str = ""

    def is_sprung_by(self, name: str) -> bool:
        if self.name not in {name, EVERY_PLACE}:
            return False
        self.passes_left -= 1
        return self.passes_left == 0


def failpoint(name: str) -> None:
    """Do nothing, unless a test has armed this place."""
    if _hook is not None:
        _hook(name)


def cut(name: str, block: bytes | memoryview) -> bytes | memoryview:
    """Return what is to be written at a failpoint: `block`, or where a test has armed it with `short`, half of it."""
    if _hook is not None and _hook(name) == _SHORT:
        return block[: len(block) // 2]
    return block


@contextlib.contextmanager
def watched(hook: Hook) -> Iterator[None]:
    """Call `hook` with the name of each failpoint that is passed while the block runs; what it raises goes through."""
    global _hook  # noqa: PLW0603 - the one switch there is
    before = _hook
    _hook = hook
    try:
        yield
    finally:
        _hook = before


def armed(plan: str) -> Hook | None:
    """Return the hook for a plan as `BATCHD_FAILPOINTS` holds it, None for an empty one.

    Raises:
        SettingsError: the plan cannot be read, or names a place that there is not.
    """
    traps = [_trap(each.strip()) for each in plan.split(",") if each.strip()]
    if not traps:
        return None

    def hook(name: str) -> str | None:
        trap = next((each for each in traps if each.is_sprung_by(name)), None)
        if trap is None:
            return None
        _note(trap)
        return _act(trap.action, name)

    return hook


def _trap(text: str) -> _Trap:
    parts = text.split(":", _MIN_PARTS - 1)
    if len(parts) < _MIN_PARTS or not parts[1].isdigit():
        raise SettingsError(f"{VARIABLE}: {text!r} is not name:n:action, such as link.before:1:kill")
    name, number, action = parts
    if name != EVERY_PLACE and name not in PLACES:
        raise SettingsError(f"{VARIABLE}: there is no place {name!r}; batchd failpoints lists them")
    verb, _, argument = action.partition(":")
    if not (action in {"kill", "stop", "hang", _SHORT} or (verb == "error" and hasattr(errno, argument))):
        raise SettingsError(f"{VARIABLE}: {action!r} is not kill, stop, hang, short or error:ERRNO")
    return _Trap(name, int(number), action, text)


def _note(trap: _Trap) -> None:
    """Say in the log, where there is one, that a trap acts now."""
    path = os.environ.get(LOG_VARIABLE)
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, f"{time.time():.6f} {os.getpid()} {trap.text}\n".encode())
        finally:
            os.close(fd)


def _act(action: str, name: str) -> str | None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "hang":
        threading.Event().wait()
    elif action == _SHORT:
        return _SHORT
    else:
        number = getattr(errno, action.removeprefix("error:"))
        raise OSError(number, f"{os.strerror(number)} (failpoint {name})")
    return None


_hook: Hook | None = armed(os.environ.get(VARIABLE, ""))
