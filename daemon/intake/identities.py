"""Which batch has a content, where the content alone is the identity: two names of the same bytes are one batch.

The id of a batch holds a slug of its name, so under the policy `content` it does not follow from the content. An index
in the state folder says which id came first: one file per content, made once and never changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from activities.disk_errors import disk_errors
from activities.failpoints import failpoint
from activities.moving import TEMPORARY, make_folder, sync_folder, write_new
from workflows.errors import InvalidBatchId
from workflows.ids import checked_id


class Identities:
    """The index. Blocking, safe to use from many threads and processes at once."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "identities"

    def first_with(self, key: str, identity: str) -> str:
        """Return the id that was first given to the identity `key`; `identity` where there is none yet.

        Raises:
            StorageFull: there is no room.
            TransientError: the index cannot be written.
        """
        path = self.folder / hashlib.sha256(key.encode()).hexdigest()
        with disk_errors(f"noting the identity of {identity}"):
            make_folder(self.folder)
            known = _read(path)
            if known is None:
                self._note(path, identity)
                known = _read(path)
        return known or identity

    def _note(self, path: Path, identity: str) -> None:
        temporary = self.folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            write_new(temporary, identity.encode())
            failpoint("identity.link.before")
            try:
                os.link(temporary, path)
            except FileExistsError:
                if _read(path) is None:  # torn by a power cut
                    temporary.replace(path)
            except OSError:
                temporary.replace(path)  # a file system without hard links
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        sync_folder(self.folder)


def known_identity(state_dir: Path, key: str) -> str | None:
    """Return the id that was first given to the identity `key`, for those who only look."""
    return _read(state_dir / "identities" / hashlib.sha256(key.encode()).hexdigest())


def _read(path: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError, InvalidBatchId, UnicodeDecodeError):
        return checked_id(path.read_text().strip())
    return None
