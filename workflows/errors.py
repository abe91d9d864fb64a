"""Everything that can go wrong, as one tree.

    BatchdError                  catch it at the top of a program: every foreseeable error is one
    ├── SettingsError            before work starts: the operator must change a setting
    ├── TemporalUnreachable      the Temporal server does not answer
    ├── StartRefused             Temporal turned away the start of one batch; others may start
    │   └── StartedElsewhere     another installation has started a batch under this id
    ├── PermanentError           catch it where retrying is decided: trying again cannot help
    │   ├── InvalidBatchId       a string that is not a batch id came to a boundary
    │   ├── SourceError          the dropped file is at fault; the batch fails and says why
    │   │   ├── SourceChanged    the claimed file is not the one that was identified
    │   │   ├── SourceVanished   the claimed file is gone
    │   │   ├── SourceUnreadable the claimed file may not be read
    │   │   ├── InvalidCsv       the file is not a CSV file that can be read
    │   │   └── NoValidRow       the file has records, and not one of them is a valid row
    │   └── OutputRefused        the output folder is not ours (a symlink, another owner, foreign files)
    └── TransientError           catch it where retrying is decided: trying again may help
        ├── InboxMissing         the inbox is not on this host at the moment, or the claimed file's folder in it is not
        └── StorageFull          the disk, its inodes or a quota are used up

Temporal learns what is permanent from a list of class names, `PERMANENT`: an exception raised in an activity
arrives at the server with its class name as its type.
"""

from __future__ import annotations

MAX_TEXT_CHARS = 1_000
"""Texts from outside are cut to this: a 2 MB error text would hang an activity until its timeout."""


class BatchdError(Exception):
    """Something foreseeable went wrong; the message says what failed, which thing, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message))


class SettingsError(BatchdError):
    """A setting is wrong or unknown."""


class TemporalUnreachable(BatchdError):
    """The Temporal server does not answer."""


class StartRefused(BatchdError):
    """Temporal turned away the start of one batch."""


class StartedElsewhere(StartRefused):
    """Another installation has started a batch under this id."""


class PermanentError(BatchdError):
    """Trying again cannot help."""


class InvalidBatchId(PermanentError):
    """A string that is not a batch id came to a boundary."""


class SourceError(PermanentError):
    """The dropped file is at fault."""


class SourceChanged(SourceError):
    """The claimed file is not the one that was identified."""


class SourceVanished(SourceError):
    """The claimed file is gone."""


class SourceUnreadable(SourceError):
    """The claimed file may not be read."""


class InvalidCsv(SourceError):
    """The file is not a CSV file that can be read."""


class NoValidRow(SourceError):
    """The file has records, and not one of them is a valid row."""


class OutputRefused(PermanentError):
    """The output folder is not ours."""


class TransientError(BatchdError):
    """Trying again may help."""


class InboxMissing(TransientError):
    """The inbox is not on this host at the moment, or the folder of a claimed file or one of batchd's is not in it."""


class StorageFull(TransientError):
    """The disk, its inodes or a quota are used up."""


def shortened(text: str, limit_chars: int = MAX_TEXT_CHARS) -> str:
    """Return `text`, cut to `limit_chars` characters with an ellipsis where it was longer."""
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"


def _family(root: type[BatchdError]) -> list[type[BatchdError]]:
    return [root, *(each for child in root.__subclasses__() for each in _family(child))]


PERMANENT: tuple[str, ...] = tuple(each.__name__ for each in _family(PermanentError))
"""Names of the error types that Temporal must not retry."""
