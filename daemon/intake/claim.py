"""Making a file ours: one rename into `.processing/<id>/`, then a receipt. Whoever renames first has it.

Each step leaves something the next scan can go on from: an empty folder is removed, a file without a receipt is
identified again, a receipt without a start is started. A receipt comes before its start, so a file that was never
started is never taken for one that was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from activities.failpoints import failpoint
from activities.inbox import make_in
from activities.moving import rename_where_free, sync_folder
from activities.places import PROCESSING
from activities.receipts import Receipt, Receipts
from daemon.intake.entries import Dropped, look_at
from daemon.intake.identify import Identified
from daemon.intake.identities import Identities
from daemon.intake.names import Names
from daemon.settings import Settings
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
        self._names = Names(settings)
        self._identities = Identities(settings, receipts)
        self._being_claimed: set[str] = set()
        self._lock = threading.Lock()

    @property
    def being_claimed(self) -> AbstractSet[str]:
        """The batches that this process is claiming at this moment."""
        return self._being_claimed

    def claim(self, dropped: Dropped, identified: Identified) -> Claimed | Duplicate | None:
        """Claim a file. None where it changed or vanished, or is just being claimed elsewhere: look again later.

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
            if now.first and not self._was_never_claimed(now.first):
                return Duplicate(now.first)
            return self._claim(dropped, identified, now.id, now.key)

    def _claim(self, dropped: Dropped, identified: Identified, identity: str, key: str) -> Claimed | None:
        folder = self._inbox / PROCESSING / identity
        if dropped.folder != folder and not self._moved(dropped, folder):
            return None
        receipt = self._receipt(dropped, identified, identity, key)
        # Not synced: without it, a file in `.processing/` is identified once more, to the same id.
        self._receipts.write(receipt, synced=False)
        failpoint("claim.receipted")
        return Claimed(receipt)

    def _moved(self, dropped: Dropped, folder: Path) -> bool:
        """Rename the file, and its ready marker before it, into the folder of its batch."""
        if not _made(folder):
            return False
        failpoint("claim.folder_made")
        self._move_marker(dropped, folder)
        now = look_at(dropped.path)
        moved = now is not None and now.fingerprint == dropped.fingerprint and self._renamed(dropped, folder)
        if not moved:
            self._give_back_marker(dropped, folder)
            with contextlib.suppress(OSError):
                folder.rmdir()
            return False
        # The one thing that has to outlast a power cut here: where the new name is lost, a start would find no file.
        sync_folder(folder)
        failpoint("claim.synced")
        return True

    def _renamed(self, dropped: Dropped, folder: Path) -> bool:
        """Rename, and make sure of what was renamed: another file may have taken its place a moment before."""
        target = folder / dropped.path.name
        try:
            rename_where_free(dropped.path, target)
        except FileNotFoundError:
            return False
        failpoint("claim.renamed")
        there = look_at(target)
        if there is not None and there.fingerprint.same_but_moved(dropped.fingerprint):
            return True
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            rename_where_free(target, dropped.path)
        return False

    def _move_marker(self, dropped: Dropped, folder: Path) -> None:
        """Take the marker along, so that it cannot vouch for the next file of this name."""
        marker = self._names.marker_of(dropped.name)
        if marker is not None:
            with contextlib.suppress(FileNotFoundError):
                rename_where_free(dropped.folder / os.fsdecode(marker), folder / os.fsdecode(marker))
            failpoint("claim.marker_moved")

    def _give_back_marker(self, dropped: Dropped, folder: Path) -> None:
        marker = self._names.marker_of(dropped.name)
        if marker is not None:
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                rename_where_free(folder / os.fsdecode(marker), dropped.folder / os.fsdecode(marker))

    def _was_never_claimed(self, receipt: Receipt) -> bool:
        """Tell whether a power cut kept the receipt and lost the rename that came before it."""
        return receipt.state == "claimed" and not (self._inbox / PROCESSING / receipt.id).exists()

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
                modified_at=_told_time(fingerprint.mtime_ns),
                first_seen_at=dropped.first_seen_at or now,
                stable_at=dropped.stable_at or now,
                claimed_at=now,
            ),
            state="claimed",
            mode=identified.mode,
            inbox=str(self._inbox),
            claimed_at=now,
            output_dir=str(self._settings.output_root.absolute() / workflow_id(identity)),
        )


def _made(folder: Path) -> bool:
    """Make the folder of a batch for ourselves alone; False where somebody else is using it."""
    make_in(folder.parent.parent, PROCESSING)
    for _ in range(2):
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            # Left empty by a kill, or just made by another daemon: that one's rename then fails, and it looks again.
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR}:
                    raise
        else:
            return True
    return False


def _told_time(mtime_ns: int) -> str:
    """Return a time of change as text, empty for one that no calendar has: senders can set it to anything."""
    try:
        return _iso(datetime.fromtimestamp(mtime_ns / 1e9, tz=UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
