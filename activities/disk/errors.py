"""What the operating system says about a disk, as errors of our tree."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from workflows.errors import StorageFull, TransientError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE}


def translated(error: OSError, doing: str) -> TransientError:
    """Return `error` as StorageFull where something is used up, and as TransientError where it is not."""
    why = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return StorageFull(f"{doing}: {why}; the batch goes on by itself once there is room")
    return TransientError(f"{doing}: {why}")


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Raise every OSError of the block as one of ours, saying what was being done.

    Raises:
        StorageFull: space, inodes, a quota or descriptors are used up.
        TransientError: anything else the disk may say.
    """
    try:
        yield
    except OSError as error:
        raise translated(error, doing) from error
