"""Places where a test can kill the process or make the disk fail: faults cannot be trusted to come on their own.

`BATCHD_FAILPOINTS` arms them when the program starts: `name:n:action`, several separated by commas. The n-th time the
place called `name` is passed (`*` counts every place), the action happens:

    kill            SIGKILL of this process, as the kernel does it
    stop            SIGSTOP of this process: a zombie, to be continued by SIGCONT
    raise:ENOSPC    an OSError with that number

Unarmed, a failpoint costs one function call.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workflows.errors import SettingsError

VARIABLE = "BATCHD_FAILPOINTS"
_MIN_PARTS = 3


@dataclass(slots=True)
class _Trap:
    name: str
    passes_left: int
    action: str

    def passed(self, name: str) -> None:
        if self.name in {name, "*"}:
            self.passes_left -= 1
            if self.passes_left == 0:
                _act(self.action, name)


def failpoint(name: str) -> None:
    """Do nothing, unless a test has armed this place."""
    if _hook is not None:
        _hook(name)


@contextlib.contextmanager
def watched(hook: Callable[[str], None]) -> Iterator[None]:
    """Call `hook` with the name of each failpoint that is passed while the block runs; what it raises goes through."""
    global _hook  # noqa: PLW0603 - the one switch there is
    before = _hook
    _hook = hook
    try:
        yield
    finally:
        _hook = before


def armed(plan: str) -> Callable[[str], None] | None:
    """Return the hook for a plan as `BATCHD_FAILPOINTS` holds it, None for an empty one.

    Raises:
        SettingsError: the plan cannot be read.
    """
    traps = [_trap(each.strip()) for each in plan.split(",") if each.strip()]
    if not traps:
        return None

    def hook(name: str) -> None:
        for trap in traps:
            trap.passed(name)

    return hook


def _trap(text: str) -> _Trap:
    parts = text.split(":", 2)
    if len(parts) < _MIN_PARTS or not parts[1].isdigit():
        raise SettingsError(f"{VARIABLE}: {text!r} is not name:n:kill, name:n:stop or name:n:raise:ERRNO")
    return _Trap(parts[0], int(parts[1]), parts[2])


def _act(action: str, name: str) -> None:
    verb, _, argument = action.partition(":")
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif verb == "raise" and hasattr(errno, argument):
        raise OSError(getattr(errno, argument), f"failpoint {name}")
    else:
        raise SettingsError(f"{VARIABLE}: {action!r} is not kill, stop or raise:ERRNO")


_hook: Callable[[str], None] | None = armed(os.environ.get(VARIABLE, ""))
