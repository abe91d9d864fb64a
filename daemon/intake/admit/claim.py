"""Making a file ours: one rename into `.processing/<id>/`, then a receipt. Whoever renames first has it.

Each step leaves something the next scan can go on from: an empty folder is removed, a file without a receipt is
identified again, a receipt without a start is started. A receipt comes before its start, so a file that was never
started is never taken for one that was.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from activities.disk.atomic_files import sync_folder
from activities.disk.failpoints import failpoint
from activities.file_source import ARCHIVE, FAILED
from activities.registry.receipts import Receipt, Receipts
from activities.workspace import PROCESSING
from daemon.config.settings import Settings
from daemon.intake.admit.checked_moves import CheckedMoves, set_aside_id
from daemon.intake.admit.identify import Identified
from daemon.intake.admit.identities import Identities
from daemon.intake.observe.entries import Dropped, Names, entry_at
from workflows.ids import displayed, workflow_id
from workflows.models import Identity, Source


@dataclass(frozen=True, slots=True)
class Claimed:
    """The file is ours, under this receipt."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A batch of this identity exists."""

    first: Receipt


class Claims:
    """Claims files of one inbox. Blocking, safe to use from many threads and processes at once."""

    def __init__(self, settings: Settings, receipts: Receipts) -> None:
        self._settings = settings
        self._receipts = receipts
        self._inbox = settings.inbox.absolute()
        self._moves = CheckedMoves(Names(settings))
        self._identities = Identities(settings, receipts)
        self._being_claimed: set[str] = set()
        self._lock = threading.Lock()

    @property
    def being_claimed(self) -> AbstractSet[str]:
        """The batches that this process is claiming at this moment."""
        return self._being_claimed

    def claim(self, dropped: Dropped, identified: Identified) -> Claimed | Duplicate | None:
        """Claim a file. None where it changed or vanished, or is just being claimed elsewhere: try again later.

        Raises:
            OSError: the folders of the inbox cannot be written.
            TransientError: the state folder cannot be written.
        """
        found = self._identities.first_identified(dropped.name, identified.sha256)
        with self._alone_with(found.id) as alone:
            if not alone:
                return None
            now = self._identities.identified(dropped.name, identified.sha256)
            if now.id != found.id:
                return None  # another identity has just taken this id
            if now.first and dropped.folder == self._inbox / PROCESSING / now.id:
                return Claimed(now.first)  # another daemon has just finished the same leftover
            if now.first and not was_never_claimed(self._inbox, now.first):
                return Duplicate(now.first)
            return self._claim(dropped, identified, now.id, now.key)

    def _claim(self, dropped: Dropped, identified: Identified, identity: str, key: str) -> Claimed | None:
        folder = self._inbox / PROCESSING / identity
        if dropped.folder == folder:
            sync_folder(folder)  # whoever renamed it may have been killed before this
        elif not self._moves.into(dropped, folder):
            return None
        receipt = self._receipt(dropped, identified, identity, key)
        # Not synced: without it, a file in `.processing/` is identified once more, to the same id.
        self._receipts.write(receipt, synced=False)
        failpoint("claim.receipted")
        return Claimed(receipt)

    @contextlib.contextmanager
    def set_aside(self, dropped: Dropped) -> Iterator[Dropped | None]:
        """Hold a file that becomes no batch in a folder of its own while it is moved on; its marker is there too.

        None where it is not the file any more that was checked, or is just being taken elsewhere. What is left in the
        folder at the end is taken from there by the next scan.

        Raises:
            OSError: the folders of the inbox cannot be written.
        """
        is_in_inbox = dropped.folder == self._inbox
        name = set_aside_id(dropped.name, dropped.fingerprint) if is_in_inbox else dropped.folder.name
        folder = self._inbox / PROCESSING / name
        with self._alone_with(name) as alone:
            ours = alone and (not is_in_inbox or self._moves.into(dropped, folder))
            there = entry_at(folder / dropped.path.name) if ours else None
            if there is None or not there.fingerprint.same_but_moved(dropped.fingerprint):
                yield None
                return
            yield dropped._replace(folder=folder, fingerprint=there.fingerprint)
            with contextlib.suppress(OSError):
                folder.rmdir()

    @contextlib.contextmanager
    def _alone_with(self, identity: str) -> Iterator[bool]:
        with self._lock:
            alone = identity not in self._being_claimed
            self._being_claimed.add(identity)
        try:
            yield alone
        finally:
            if alone:
                self._being_claimed.discard(identity)

    def _receipt(self, dropped: Dropped, identified: Identified, identity: str, key: str) -> Receipt:
        now = _iso(datetime.now(tz=UTC))
        fingerprint = dropped.fingerprint
        return Receipt(
            id=identity,
            workflow_id=workflow_id(identity),
            identity=Identity(policy=self._settings.identity, key=key),
            source=Source(
                file=os.fsdecode(dropped.name),
                name=displayed(dropped.name),
                size_bytes=fingerprint.size_bytes,
                mtime_ns=fingerprint.mtime_ns,
                inode=fingerprint.inode,
                sha256=identified.sha256,
                modified_at=_time_text(fingerprint.mtime_ns),
                first_seen_at=dropped.first_seen_at or now,
                stable_at=dropped.stable_at or now,
                claimed_at=now,
                dialect=identified.dialect,
            ),
            state="claimed",
            mode=identified.mode,
            inbox=str(self._inbox),
            claimed_at=now,
            terms=self._settings.terms(),
            output_dir=str(self._settings.output_root.absolute() / workflow_id(identity)),
        )


def was_never_claimed(inbox: Path, receipt: Receipt) -> bool:
    """True if a receipt stands for a claim that did not come about: a power cut, or a kill, kept it from its file.

    A short batch may be filed between the reading of its receipt and this look, so the shelves are looked at last.
    """
    folders = (inbox / each / receipt.id for each in (PROCESSING, ARCHIVE, FAILED))
    return receipt.state == "claimed" and not any(each.exists() for each in folders)


def _time_text(mtime_ns: int) -> str:
    """Return a time of change as text, empty for one that no calendar has: senders can set it to anything."""
    try:
        return _iso(datetime.fromtimestamp(mtime_ns / 1e9, tz=UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
