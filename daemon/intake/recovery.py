"""What lies in `.processing/`: claims that a kill interrupted are finished, and ended batches are noticed."""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from activities.registry.receipts import Receipt, Receipts
from activities.tally import Tally
from activities.workspace import PROCESSING
from daemon.config.feed_settings import feeds_beside
from daemon.config.settings import Settings
from daemon.intake.admit.checked_moves import SET_ASIDE, give_back, set_aside_id
from daemon.intake.dispatch import Outcome
from daemon.intake.endings import Endings
from daemon.intake.observe.entries import Dropped, Entry, Names, entries, entry_at
from workflows.errors import InvalidBatchId, TransientError
from workflows.ids import checked_id, displayed

ADOPTED_PER_SCAN = 500
ASKED_PER_SCAN = 20
"""Batches whose outcome is asked for at each rescan, in turn: a workflow ended past us is found, without a storm."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Found:
    """What one pass brought up: batches to be started, and files to be taken once more; `claimed` counts all claims."""

    to_start: list[Receipt] = field(default_factory=list)
    to_take: list[Dropped] = field(default_factory=list)
    claimed: int = 0


class Leftovers:
    """The claimed files of one inbox. Blocking; one thread at a time."""

    def __init__(self, settings: Settings, receipts: Receipts, tally: Tally) -> None:
        self._settings = settings
        self._receipts = receipts
        self._inbox = settings.inbox.absolute()
        self._folder = self._inbox / PROCESSING
        self._names = Names(settings)
        self._endings = Endings(settings, receipts, tally)
        self._running: dict[str, None] = {}
        self._turn: deque[str] = deque()
        self._logged: set[bytes] = set()
        self._beside = feeds_beside(settings)
        self._of_other_feeds: set[str] = set()
        self.present: frozenset[str] = frozenset()
        """The claims that the last pass found."""

    def clear(self) -> None:
        """Forget what was seen: another inbox stands there now."""
        self._running.clear()
        self._turn.clear()
        self._logged.clear()
        self._of_other_feeds.clear()
        self.present = frozenset()

    def adopt(self, in_hand: Callable[[str], bool]) -> Found:
        """Find what has to be gone on with and is not `in_hand`. Reads only what it has not seen before."""
        found = Found()
        present: set[str] = set()
        adopted = 0
        with contextlib.suppress(FileNotFoundError):
            for entry in entries(self._folder, lambda name: not name.startswith(b".")):
                identity = self._identity(entry)
                if identity is None or identity in self._of_other_feeds:
                    continue
                present.add(identity)
                if identity not in self._running and not in_hand(identity) and adopted < ADOPTED_PER_SCAN:
                    adopted += 1
                    self._adopt_or_log(identity, found)
        self.present = frozenset(present - self._of_other_feeds)
        found.claimed = len(self.present)
        for gone in self._running.keys() - present:
            del self._running[gone]
        return found

    def next_to_ask(self) -> list[str]:
        """Return the next few batches whose outcome should be asked for."""
        if not self._turn:
            self._turn.extend(self._running)
        turn = [self._turn.popleft() for _ in range(min(ASKED_PER_SCAN, len(self._turn)))]
        return [each for each in turn if each in self._running]

    def act_on(self, batch_id: str, outcome: Outcome) -> Receipt | None:
        """File the source of a batch that ended without filing it; return the receipt of one to be started again.

        Raises:
            TransientError: whether it left a result cannot be seen now.
            OutputRefused: its result is damaged.
        """
        receipt = self._receipts.read(batch_id)
        if receipt is None or not (self._folder / batch_id).exists():
            self._running.pop(batch_id, None)
            return None
        if outcome == "unknown" and not receipt.ended and not self._endings.is_interrupted(receipt):
            logger.warning("batch.forgotten", extra={"fields": {"id": batch_id, "todo": "it is started again"}})
            self._running.pop(batch_id, None)
            return receipt
        self._endings.file(receipt, outcome)
        return None

    def _adopt_or_log(self, identity: str, found: Found) -> None:
        try:
            self._adopt(identity, found)
        except OSError as error:
            self.log(os.fsencode(identity), f"it cannot be read: {error.strerror or error}")
        except TransientError as error:
            self.log(os.fsencode(identity), f"{error}; it is looked at again by itself")

    def _adopt(self, identity: str, found: Found) -> None:
        receipt = self._receipts.read(identity)
        if receipt is None:
            self._adopt_without_receipt(self._folder / identity, found)
        elif receipt.terms and receipt.terms.feed in self._beside:
            self._of_other_feeds.add(identity)
        elif receipt.state == "claimed" and not self._endings.is_interrupted(receipt):
            # Also where its file is gone: the workflow then fails by name, which is better than silence.
            found.to_start.append(receipt)
        else:
            self._running[identity] = None

    def _adopt_without_receipt(self, folder: Path, found: Found) -> None:
        try:
            there = list(entries(folder))
        except FileNotFoundError:
            return  # whoever had it in hand has just ended with it
        markers = {self._names.marker_of(each.name) for each in there} | {
            each.name for each in there if self._names.kind(each.name) == "marker"
        }
        files = [each for each in there if each.name not in markers]
        if any(self._names.is_of_another_feed(each.name) for each in files):
            return
        if len(files) == 1 and files[0].kind == "file":
            found.to_take.append(Dropped(name=files[0].name, folder=folder, fingerprint=files[0].fingerprint))
        elif files:
            self.log(os.fsencode(folder.name), "it does not hold one file; move its files into the inbox by hand")
        else:
            self._give_back(folder, there)

    def _give_back(self, folder: Path, markers: list[Entry]) -> None:
        """Undo a claim that did not come as far as its file; end one whose file has gone on to where it belongs."""
        with contextlib.suppress(OSError):
            for marker in markers:
                path = folder / os.fsdecode(marker.name)
                if self._has_gone_on(folder, marker.name):
                    path.unlink()
                else:
                    give_back(path, self._inbox)
            folder.rmdir()

    def _has_gone_on(self, folder: Path, marker: bytes) -> bool:
        """True if the file that was set aside with this marker is not in the inbox any more."""
        if not folder.name.startswith(SET_ASIDE):
            return False
        now = entry_at(self._inbox / os.fsdecode(self._names.marked_by(marker)))
        return now is None or set_aside_id(now.name, now.fingerprint) != folder.name

    def _identity(self, entry: Entry) -> str | None:
        try:
            identity = checked_id(displayed(entry.name))
        except InvalidBatchId:
            self.log(entry.name, "its name is not the id of a batch; move its files into the inbox by hand")
            return None
        if entry.kind != "folder":
            self.log(entry.name, "not a folder; nothing of batchd's, remove it")
            return None
        return identity

    def log(self, name: bytes, why: str) -> None:
        """Say once what is wrong with a folder of `.processing/`."""
        if name not in self._logged:
            self._logged.add(name)
            logger.warning("claim.strange", extra={"fields": {"folder": f"{PROCESSING}/{displayed(name)}", "why": why}})
