"""One daemon of a state folder runs the embedded server; others use it, and stand by on a lock that dies with it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

LOCK = "server.lock"
_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

logger = logging.getLogger(__name__)


class ServerLock:
    """The right to start and to stop the embedded server of one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK
        self._fd = -1

    @property
    def held(self) -> bool:
        """Whether this process has the right."""
        return self._fd >= 0

    def acquire(self) -> bool:
        """Take the right where nobody has it, and return whether this process has it now."""
        if self.held:
            return True
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
            why = "the file system of the state folder has no locks; let only one 'batchd run' use it"
            logger.warning("server.unlocked", extra={"fields": {"state_dir": str(self._path.parent), "why": why}})
        self._fd = fd
        return True

    def release(self) -> None:
        """Let another daemon run the server; a second call does nothing."""
        if self.held:
            os.close(self._fd)
            self._fd = -1
