"""One daemon works an inbox; others stand by on a lock that the kernel drops when the first one dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from pathlib import Path

from activities.source.inbox import make_in
from activities.workspace import PROCESSING

LOCK = ".lock"
_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

logger = logging.getLogger(__name__)


class Leadership:
    """The right to work one inbox."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox.absolute()
        self._path = self._inbox / PROCESSING / LOCK
        self._fd = -1

    def holds(self) -> bool:
        """Tell whether this process leads, and try to where it does not. A lock in a folder that is gone is none.

        Raises:
            OSError: the inbox is missing or cannot be written.
        """
        if self._fd >= 0 and not self._still_there():
            self.release()
        return self._fd >= 0 or self._acquired()

    def release(self) -> None:
        """Let another one lead; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _still_there(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._fd), self._path.stat())
        return False

    def _acquired(self) -> bool:
        make_in(self._inbox, PROCESSING)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                os.close(fd)
                raise
            why = "this file system has no locks; claims are safe without, but let only one batchd watch this inbox"
            logger.warning("inbox.unlocked", extra={"fields": {"why": why}})
        self._fd = fd
        return True


def is_watched(inbox: Path) -> bool | None:
    """Tell whether a daemon leads on this inbox; None where that cannot be seen."""
    try:
        fd = os.open(inbox / PROCESSING / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(fd)
    return False
