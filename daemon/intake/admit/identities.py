"""Which batch a file is: the id of its identity, held against the receipts and, where content alone counts, an index.

An id holds 48 bits of a hash, so two files may come to the same one. The receipt holds the whole identity; where that
is another, the file gets the next id, made from its identity and a number. The same file gets the same one again.

The id also holds a slug of the name, so under the policy `content` it does not follow from the content. An index in the
state folder says which id came first: one file per content, made once and never changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from activities.disk.atomic_files import make_folder, sync_folder, temporary_beside, write_new
from activities.disk.errors import disk_errors
from activities.disk.failpoints import failpoint
from activities.manifest.identity_proof import COLLISION
from activities.registry.receipts import Receipt, Receipts
from daemon.config.feed_settings import feed_of
from daemon.config.settings import Settings
from workflows.errors import InvalidBatchId
from workflows.ids import batch_id, checked_id, identity_key

MOST_COLLISIONS = 100
"""Ids that are tried to learn which number a noted one has: a second collision of one identity is one in 10^14."""


@dataclass(frozen=True, slots=True)
class Identification:
    """The id of a file and the identity it follows from; `first` is the batch that already has both."""

    id: str
    key: str
    first: Receipt | None


class Identities:
    """The identities of one installation. Blocking, safe to use from many threads and processes at once."""

    def __init__(self, settings: Settings, receipts: Receipts) -> None:
        self._policy = settings.identity
        self._feed = feed_of(settings)
        self._receipts = receipts
        self.folder = settings.state_dir.absolute() / "identities"

    def identified(self, name: bytes, sha256: str) -> Identification:
        """Return which batch a file is. Writes nothing.

        Raises:
            TransientError: a receipt cannot be read.
        """
        key = self._key(name, sha256)
        noted = _read(self._path(key)) if self._policy == "content" else None
        for identity, numbered in _candidates(name, key, noted):
            first = self._receipts.read(identity)
            if first is None or self._is_of(first, numbered):
                return Identification(identity, numbered, first)
        raise AssertionError

    def first_identified(self, name: bytes, sha256: str) -> Identification:
        """Return which batch a file is, as `identified`, and note the id where content alone counts.

        Raises:
            StorageFull: there is no room.
            TransientError: a receipt cannot be read, or the index cannot be written.
        """
        found = self.identified(name, sha256)
        if self._policy != "content":
            return found
        path = self._path(self._key(name, sha256))
        with disk_errors(f"noting the identity of {found.id}"):
            make_folder(self.folder)
            noted = _read(path)
            if noted is None:
                self._note(path, found.id)
                noted = _read(path)
        return found if noted in {None, found.id} else self.identified(name, sha256)

    def _is_of(self, receipt: Receipt, key: str) -> bool:
        """True if a receipt is of this identity. One made up for a lost one holds none, but names its source."""
        if receipt.identity.key:
            return receipt.identity.key == key
        name = os.fsencode(receipt.source.file)
        return self._key(name, receipt.source.sha256) == key.partition(COLLISION)[0]

    def _key(self, name: bytes, sha256: str) -> str:
        return identity_key(self._policy, name=name, sha256=sha256, feed=self._feed)

    def _path(self, key: str) -> Path:
        return self.folder / hashlib.sha256(key.encode()).hexdigest()

    def _note(self, path: Path, identity: str) -> None:
        with temporary_beside(path) as temporary:
            write_new(temporary, identity.encode())
            failpoint("identity.link.before")
            try:
                os.link(temporary, path)
            except FileExistsError:
                if _read(path) is None:  # torn by a power cut
                    temporary.replace(path)
            except OSError:
                temporary.replace(path)  # a file system without hard links
        sync_folder(self.folder)


def _candidates(name: bytes, key: str, noted: str | None) -> Iterator[tuple[str, str]]:
    """Yield the ids that an identity may have, each with the text it follows from; the noted one first."""
    for number in count(_number_of(noted, key) if noted else 0):
        numbered = _numbered(key, number)
        identity = batch_id(name, numbered)
        if noted:
            identity = f"{noted.rpartition('-')[0]}-{identity.rpartition('-')[2]}"
        yield identity, numbered


def _number_of(noted: str, key: str) -> int:
    ids = (batch_id(b"", _numbered(key, number)) for number in range(MOST_COLLISIONS))
    ending = noted.rpartition("-")[2]
    return next((number for number, each in enumerate(ids) if each.endswith(ending)), 0)


def _numbered(key: str, number: int) -> str:
    return f"{key}{COLLISION}{number}" if number else key


def _read(path: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError, InvalidBatchId, UnicodeDecodeError):
        return checked_id(path.read_text().strip())
    return None
