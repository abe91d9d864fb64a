"""The whole batch again, on purpose: the same file under an identity of its own.

The daemon would file the same file as a duplicate, for ever. So the new identity is the old one and a number; the copy
of the source is laid into `.processing/` as if it had just been claimed, and the daemon's next scan starts it. The old
result stays as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from activities.disk.atomic_files import sync_folder
from activities.disk.hashing import copy_hashed
from activities.manifest.identity_proof import RERUN
from activities.registry.receipts import Receipt, Receipts
from activities.registry.timestamps import now_text
from activities.workspace import PROCESSING
from daemon.intake.admit.claim import was_never_claimed
from daemon.intake.admit.duplicates import kept_duplicates
from workflows.errors import SettingsError, SourceChanged, SourceVanished
from workflows.ids import batch_id, printable, workflow_id
from workflows.models import Identity, Source

LOCK_FILE = "rerun.lock"
COPYING = ".rerun-"
"""How folders begin that the daemon passes over."""


class Reruns:
    """Makes new batches out of old ones, one at a time over all processes."""

    def __init__(self, inbox: Path, state_dir: Path, output_root: Path) -> None:
        self._inbox = inbox.absolute()
        self._state_dir = state_dir
        self._output_root = output_root.absolute()
        self._receipts = Receipts(state_dir)

    def prepare(self, old: Receipt, *, reason: str) -> Receipt:
        """Lay a copy of the source of `old` ready as a new batch and return its receipt. Blocking.

        Killed at any step it leaves nothing that the daemon would start by mistake; repeating it is safe, and the next
        rerun removes what it had copied.

        Raises:
            SourceVanished: the source is neither in the archive nor among the failed.
            SourceChanged: it is not the file any more that the old batch was made of.
            SettingsError: the folders cannot be written.
        """
        with self._alone():
            hidden = self._inbox / PROCESSING / f"{COPYING}{secrets.token_hex(8)}"
            try:
                hidden.parent.mkdir(mode=0o700, exist_ok=True)
                for killed in hidden.parent.glob(f"{COPYING}*"):
                    shutil.rmtree(killed, ignore_errors=True)
                hidden.mkdir(mode=0o700)
                source = _copied(self._source_path(old), hidden / old.source.file, old.source)
                new = self._new_receipt(old, source, reason)
                # The receipt first: a scan that finds the copy without one would take it for a duplicate.
                self._receipts.write(new)
                hidden.rename(self._inbox / PROCESSING / new.id)
                sync_folder(self._inbox / PROCESSING)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
        return new

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with (self._state_dir / LOCK_FILE).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise SettingsError(f"{error.filename}: {error.strerror}; run this as the user of the daemon") from error

    def _source_path(self, old: Receipt) -> Path:
        shelves = [self._inbox / shelf / old.id / old.source.file for shelf in ("archive", "failed", PROCESSING)]
        places = [*shelves, *kept_duplicates(self._inbox, old.id)]
        if old.error_type == "SourceChanged":
            places.reverse()  # what was filed is not the file any more; one that was dropped again may be
        found = next((each for each in places if each.is_file() and not each.is_symlink()), None)
        if found is None:
            where = " or ".join(str(each) for each in shelves[:2])
            raise SourceVanished(f"the source of {old.id} is not at {printable(where)}; drop it into the inbox again")
        return found

    def _new_receipt(self, old: Receipt, source: Source, reason: str) -> Receipt:
        root_key = old.identity.key.partition(RERUN)[0]
        for number in count(1):
            key = f"{root_key}{RERUN}{number}"
            identity = batch_id(os.fsencode(old.source.file), key)
            taken = self._receipts.read(identity)
            if taken is None or was_never_claimed(self._inbox, taken):
                return Receipt(
                    id=identity,
                    workflow_id=workflow_id(identity),
                    identity=Identity(policy=old.identity.policy, key=key, rerun_of=old.id, reason=reason),
                    source=source,
                    state="claimed",
                    mode=old.mode,
                    inbox=str(self._inbox),
                    claimed_at=source.claimed_at,
                    output_dir=str(self._output_root / workflow_id(identity)),
                )
        raise AssertionError


def _copied(original: Path, copy: Path, expected: Source) -> Source:
    """Copy the file and return it as a source of its own: nothing done to one of them can reach the other."""
    with original.open("rb") as reading, copy.open("xb") as writing:
        sha256 = copy_hashed(reading, writing)
        facts = os.fstat(writing.fileno())
    if sha256 != expected.sha256:
        raise SourceChanged(f"{printable(str(original))} is not the file any more that {expected.name} was")
    now = now_text()
    return replace(
        expected,
        mtime_ns=facts.st_mtime_ns,
        inode=facts.st_ino,
        first_seen_at=now,
        stable_at=now,
        claimed_at=now,
    )
