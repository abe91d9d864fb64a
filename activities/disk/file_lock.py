"""A lock on a file, for what one process at a time may do; the kernel drops it when that process dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class FileLock:
    """A lock that never waits. `warn_unlocked` is called where the file system has no locks, and all may hold it."""

    def __init__(self, path: Path, *, warn_unlocked: Callable[[], None]) -> None:
        self._path = path
        self._warn_unlocked = warn_unlocked
        self._fd = -1

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._fd >= 0

    def acquire(self) -> bool:
        """Take the lock where nobody holds it, and return whether this process holds it now.

        Raises:
            OSError: the file cannot be made or opened.
        """
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
            self._warn_unlocked()
        self._fd = fd
        return True

    def release(self) -> None:
        """Let another process take the lock; a second call does nothing."""
        if self.held:
            os.close(self._fd)
            self._fd = -1

    def is_in_place(self) -> bool:
        """Return whether the file that this process holds still stands at its path."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._fd), self._path.stat())
        return False


def is_locked(path: Path) -> bool | None:
    """Return whether any process holds the lock on `path`; None where that cannot be seen."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
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
