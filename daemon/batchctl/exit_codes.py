"""How a command ends: the exit codes, and the errors that mean one of them.

BatchdError
├── NoSuchBatch     4  the name given is no batch, or more than one
├── NotPossible     1  the batch is not in a state in which this can be done
└── TimedOut        5  the end did not come in the time given
"""

from __future__ import annotations

from workflows.errors import BatchdError, SettingsError, TemporalUnreachable

DONE = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
NO_SUCH_BATCH = 4
TIMED_OUT = 5
INTERRUPTED = 130


class NoSuchBatch(BatchdError):
    """The name given is no batch, or more than one."""


class NotPossible(BatchdError):
    """The batch is not in a state in which this can be done."""


class TimedOut(BatchdError):
    """The end did not come in the time given."""


def exit_code(error: BatchdError) -> int:
    """Return the exit code that an error means."""
    codes: dict[type[BatchdError], int] = {
        NoSuchBatch: NO_SUCH_BATCH,
        SettingsError: USAGE,
        TemporalUnreachable: UNREACHABLE,
        TimedOut: TIMED_OUT,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), FAILED)
