"""One settled file, step by step, until it is claimed, set aside, refused, or has to be looked at again."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Set as AbstractSet
from pathlib import Path

from activities.disk.failpoints import failpoint
from activities.registry.receipts import Receipt, Receipts
from daemon.config.settings import Settings
from daemon.intake.admit.claim import Claims, Duplicate
from daemon.intake.admit.duplicates import set_aside
from daemon.intake.admit.identify import Identified, identify
from daemon.intake.admit.refusals import refuse, size_refusal
from daemon.intake.observe.entries import Dropped, look_at
from daemon.intake.observe.markers import broken_promise, promise_in
from daemon.intake.observe.names import Names
from daemon.intake.observe.refusal import Refusal
from workflows.errors import BatchdError, SourceError
from workflows.ids import displayed, printable

logger = logging.getLogger(__name__)


class Taking:
    """Takes files of one inbox. Blocking, safe to use from many threads at once."""

    def __init__(self, settings: Settings, receipts: Receipts, stopping: threading.Event) -> None:
        self._settings = settings
        self._inbox = settings.inbox.absolute()
        self._names = Names(settings)
        self._claims = Claims(settings, receipts)
        self._stopping = stopping

    @property
    def being_claimed(self) -> AbstractSet[str]:
        """The batches that this process is claiming at this moment."""
        return self._claims.being_claimed

    def take_few(self, few: list[Dropped]) -> list[tuple[Dropped, Receipt | Refusal | Exception | None]]:
        """Take one file after another, as `take` does; what it raises stands in the place of the result."""
        return [(dropped, self._result(dropped)) for dropped in few]

    def _result(self, dropped: Dropped) -> Receipt | Refusal | Exception | None:
        try:
            return self.take(dropped)
        except (OSError, BatchdError) as error:
            return error
        except Exception as error:
            logger.exception("file.failed", extra={"fields": {"file": displayed(dropped.name)}})
            return error

    def take(self, dropped: Dropped) -> Receipt | Refusal | None:
        """Return the receipt of the claimed file, or why it is left in the inbox; None where neither.

        A file that was refused or is a duplicate has been moved when this returns, and that is told in the log.

        Raises:
            OSError: a folder cannot be written; nothing is lost, and taking the file again is safe.
            TransientError: the same of the state folder.
        """
        failpoint("take.begun")
        try:
            return self._take(dropped)
        except FileNotFoundError:
            if look_at(dropped.path) is not None:
                raise
            return None  # somebody has taken it away: a sender, or another daemon

    def _take(self, dropped: Dropped) -> Receipt | Refusal | None:
        found = size_refusal(dropped.fingerprint.size_bytes, self._settings) or self._identified(dropped)
        if found is None:
            return None
        if isinstance(found, Refusal):
            return self._refused(dropped, found)
        claimed = self._claims.claim(dropped, found)
        if claimed is None:
            return None
        if isinstance(claimed, Duplicate):
            self._set_aside(dropped, claimed.first, found)
            return None
        source = claimed.receipt.source
        fields = {"id": claimed.receipt.id, "file": source.name, "bytes": source.size_bytes, "mode": found.mode}
        logger.info("file.claimed", extra={"fields": fields})
        return claimed.receipt

    def _identified(self, dropped: Dropped) -> Identified | Refusal | None:
        found = identify(dropped, self._settings, self._stopping)
        marker = self._marker(dropped)
        if not isinstance(found, Identified) or marker is None:
            return found
        try:
            broken = broken_promise(
                promise_in(marker),
                size_bytes=dropped.fingerprint.size_bytes,
                sha256=found.sha256,
                path=dropped.path,
                csv=self._settings.shape().csv,
            )
        except FileNotFoundError:
            # The marker went away. In the inbox that means "not ready"; beside a claimed file it had done its work.
            return None if dropped.folder == self._inbox else found
        except (OSError, SourceError) as error:
            broken = Refusal(rule="marker", what=str(error), mend="drop the whole file and its marker again")
        return broken or found

    def _refused(self, dropped: Dropped, refusal: Refusal) -> Refusal | None:
        if refusal.rule == "readable":
            return refusal
        with self._claims.set_aside(dropped) as judged:
            if judged is not None:
                moved = refuse(self._inbox, judged, refusal)
                self._drop_marker(judged)
                self._log_moved("file.refused", dropped, moved, rule=refusal.rule, why=refusal.what)
        return None

    def _set_aside(self, dropped: Dropped, first: Receipt, identified: Identified) -> None:
        with self._claims.set_aside(dropped) as judged:
            if judged is not None:
                moved = set_aside(self._inbox, judged, first, sha256=identified.sha256)
                self._drop_marker(judged)
                self._log_moved("file.duplicate", dropped, moved, id=first.id, state=first.state)

    def _drop_marker(self, judged: Dropped) -> None:
        """Remove the ready marker that was taken along with a file; one in the inbox speaks for the next file."""
        marker = self._marker(judged)
        if marker is not None:
            marker.unlink(missing_ok=True)

    def _marker(self, dropped: Dropped) -> Path | None:
        name = self._names.marker_of(dropped.name)
        return None if name is None else dropped.folder / os.fsdecode(name)

    def _log_moved(self, event: str, dropped: Dropped, moved: Path, **facts: str) -> None:
        fields = {
            "file": displayed(dropped.name),
            **{key: printable(value) for key, value in facts.items()},
            "moved_to": displayed(str(moved.relative_to(self._inbox))),
        }
        logger.info(event, extra={"fields": fields})
